/** The gate of address line 20, which the keyboard controller and port 0x92 both open and close: the last one counts. */
export class A20Gate {
  private isOpen = true;

  /** @param changed told when it opens or closes */
  constructor(private readonly changed: (open: boolean) => void = () => {}) {}

  get open(): boolean {
    return this.isOpen;
  }

  set(open: boolean): void {
    if (open === this.isOpen) return;
    this.isOpen = open;
    this.changed(open);
  }
}
