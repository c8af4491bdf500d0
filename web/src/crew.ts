/** Does whatever there is to do, so many at a time: one that takes long holds up none of the others. */
export class Crew {
  private busy = 0;

  constructor(
    private readonly size: number,
    /** Begins the next task; nothing where none is left. It never fails. */
    private readonly next: () => Promise<void> | undefined,
    private readonly idle: () => void = () => undefined,
  ) {}

  /** Look for tasks again, as there may be new ones. */
  work(): void {
    while (this.busy < this.size) {
      const task = this.next();
      if (!task) break;
      this.busy++;
      void task.then(() => {
        this.busy--;
        this.work();
      });
    }
    if (!this.busy) this.idle();
  }
}
