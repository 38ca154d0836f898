/** A kernel, initrd, module or ROM file that cannot be booted: which file, and what is wrong with it. */
export class BootFileError extends Error {
  override readonly name = "BootFileError";
  readonly code = "BOOT_FILE";
  /**
   * @param file the file's name as the user gave it
   * @param problem what is wrong, as a phrase that can follow the name
   */
  constructor(
    readonly file: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${file}: ${problem}`, options);
  }
}
