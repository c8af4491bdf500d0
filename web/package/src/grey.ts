/** Grey values and their surroundings, as Pillow has them, to the bit. */
import type { Rgb } from "./resize.js";

/** Pillow's `convert("L")`. */
export function greyOf({ data, width, height }: Rgb): Uint8Array {
  const grey = new Uint8Array(width * height);
  for (let to = 0, from = 0; to < grey.length; to++, from += 3) {
    grey[to] = (data[from]! * 19595 + data[from + 1]! * 38470 + data[from + 2]! * 7471 + 0x8000) >> 16;
  }
  return grey;
}

/** The mean around each value, as far as `reach` pixels to each side: Pillow's `BoxBlur`. */
export function surroundings(grey: Uint8Array, width: number, height: number, reach: number): Uint8Array {
  const along = blurred(grey, height, width, width, 1, reach);
  return blurred(along, width, 1, height, width, reach);
}

/**
 * One pass of it (src/libImaging/BoxBlur.c), in its fixed point, along `lines` that begin `stride` apart, each of `length`
 * pixels that are `step` apart. Beyond its ends a line goes on as it ends.
 */
function blurred(values: Uint8Array, lines: number, stride: number, length: number, step: number, reach: number): Uint8Array {
  const out = new Uint8Array(values.length);
  const share = Math.floor((1 << 24) / (2 * reach + 1));
  const farShare = ((1 << 24) - (2 * reach + 1) * share) >> 1;
  const [behind, ahead] = [(reach + 1) * step, reach * step];
  for (let line = 0; line < lines; line++) {
    const first = line * stride;
    const last = first + (length - 1) * step;
    let sum = values[first]! * (reach + 1);
    for (let i = 0; i < reach; i++) sum += values[Math.min(first + i * step, last)]!;
    for (let at = first; at <= last; at += step) {
      const left = values[Math.max(first, at - behind)]!;
      sum += values[Math.min(last, at + ahead)]! - left;
      const far = left + values[Math.min(last, at + behind)]!;
      out[at] = (sum * share + far * farShare + (1 << 23)) >>> 24;
    }
  }
  return out;
}
