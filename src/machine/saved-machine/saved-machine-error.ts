/** Why a saved machine cannot be written, read or restored. */
export type SavedMachineErrorCode =
  /** It is no saved machine at all. */
  | "SAVED_FORMAT"
  /** Another version of the format. */
  | "SAVED_VERSION"
  /** It ends too early. */
  | "SAVED_TRUNCATED"
  /** A checksum does not match: the file is damaged. */
  | "SAVED_CHECKSUM"
  /** What it says is impossible, although its checksums match. */
  | "SAVED_CONTENT"
  /** It is of a machine that differs from the one it is to be restored into. */
  | "SAVED_MISMATCH"
  /** A device or a vCPU does not take its state; the cause says more. */
  | "SAVED_STATE"
  /** The accelerator does not offer the CPU features that the machine has. */
  | "SAVED_CPU";

/** A saved machine that cannot be restored. Nothing of the target has changed. */
export class SavedMachineError extends Error {
  override readonly name = "SavedMachineError";
  /**
   * @param code stable
   * @param where the part of the file or of the machine, for people: `section DEVS at byte 4711`
   */
  constructor(
    readonly code: SavedMachineErrorCode,
    readonly where: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${where}: ${problem}`, options);
  }
}
