/** A file is no picture that can be decoded here; `size` where that is since it has too many pixels. */
export class UnreadablePicture extends Error {
  override readonly name = "UnreadablePicture";

  constructor(
    message: string,
    readonly size: readonly [width: number, height: number] | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A `Detector` was closed before it was asked. */
export class DetectorClosed extends Error {
  override readonly name = "DetectorClosed";

  constructor() {
    super("this Detector is closed; open another");
  }
}
