/** What is opened when it is first asked for, and kept; where that fails, the next to ask tries again. */
export function once<Given extends unknown[], Opened>(open: (...given: Given) => Promise<Opened>): (...given: Given) => Promise<Opened> {
  let opened: Promise<Opened> | undefined;
  return (...given) => {
    opened ??= open(...given).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
