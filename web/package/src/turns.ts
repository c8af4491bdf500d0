import type { Rgb } from "./resize.js";

/** The clockwise turn, in degrees, that makes a picture upright. */
export type Turn = 0 | 90 | 180 | 270;

/** The EXIF tag 0x0112: stored pixels are mirrored left-right or not, then turned clockwise. */
export type ExifOrientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** What a tag of this value says; 1 where that is no orientation. */
export function orientationOf(value: number): ExifOrientation {
  return value >= 1 && value <= 8 ? (value as ExifOrientation) : 1;
}

/** Output number 0 to 3 of the model as a turn. */
export function turnOf(index: number): Turn {
  return (((index % 4) + 4) % 4 * 90) as Turn;
}

/** One turn after another. */
export function then(first: Turn, second: Turn): Turn {
  return turnOf((first + second) / 90);
}

/** The turn that takes another back. */
export function inverse(turn: Turn): Turn {
  return turnOf(-turn / 90);
}

const PARTS: Record<ExifOrientation, readonly [mirrored: boolean, turn: Turn]> = {
  1: [false, 0],
  2: [true, 0],
  3: [false, 180],
  4: [true, 180],
  5: [true, 270],
  6: [false, 90],
  7: [true, 90],
  8: [false, 270],
};

/** What is done to a picture: left and right are exchanged or not, then it is turned clockwise. */
export interface Way {
  mirrored: boolean;
  turn: Turn;
}

export function isNothing({ mirrored, turn }: Way): boolean {
  return !mirrored && turn === 0;
}

/** What is done to stored pixels, so that they become what is shown. */
export function partsOf(exif: ExifOrientation): Way {
  const [mirrored, turn] = PARTS[exif];
  return { mirrored, turn };
}

/** The tag that shows the picture as `exif` does and then does this to what is shown. */
export function compose(exif: ExifOrientation, way: Way): ExifOrientation {
  const { mirrored, turn: before } = partsOf(exif);
  // A mirror reverses the turns made before it.
  const after = then(way.mirrored ? inverse(before) : before, way.turn);
  const found = Object.entries(PARTS).find(([, parts]) => parts[0] === (mirrored !== way.mirrored) && parts[1] === after);
  return Number(found![0]) as ExifOrientation;
}

/** Pixels turned clockwise, mirrored left-right first if asked. */
export function turnPixels(picture: Rgb, turn: Turn, mirrored = false): Rgb {
  if (turn === 0 && !mirrored) return picture;
  const { width, height, data } = picture;
  const swaps = turn === 90 || turn === 270;
  const out = { width: swaps ? height : width, height: swaps ? width : height, data: new Uint8Array(data.length) };
  for (let y = 0; y < height; y++) {
    for (let stored = 0; stored < width; stored++) {
      const x = mirrored ? width - 1 - stored : stored;
      let [column, row] = [x, y];
      if (turn === 90) [column, row] = [height - 1 - y, x];
      else if (turn === 180) [column, row] = [width - 1 - x, height - 1 - y];
      else if (turn === 270) [column, row] = [y, width - 1 - x];
      const from = (y * width + stored) * 3;
      const to = (row * out.width + column) * 3;
      out.data[to] = data[from]!;
      out.data[to + 1] = data[from + 1]!;
      out.data[to + 2] = data[from + 2]!;
    }
  }
  return out;
}
