/** The clock's registers as a calendar: seconds since 1970 to fields and back, without time zones. */

export interface CalendarTime {
  second: number;
  minute: number;
  hour: number;
  /** 1 is Sunday. */
  weekday: number;
  day: number;
  month: number;
  year: number;
}

/** The clock counts years 0 to 9999. */
export const MIN_SECONDS = -62_167_219_200;
export const MAX_SECONDS = 253_402_300_799;

export function clampSeconds(seconds: number): number {
  return Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS);
}

export function calendarOf(seconds: number): CalendarTime {
  const date = new Date(clampSeconds(seconds) * 1000);
  return {
    second: date.getUTCSeconds(),
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    weekday: date.getUTCDay() + 1,
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    year: date.getUTCFullYear(),
  };
}

/** Fields out of range carry over into the next larger one, as they would when the clock counts on. */
export function secondsOf(time: Omit<CalendarTime, "weekday">): number {
  const date = new Date(0);
  date.setUTCFullYear(time.year, time.month - 1, time.day);
  date.setUTCHours(time.hour, time.minute, time.second);
  return clampSeconds(Math.floor(date.getTime() / 1000));
}
