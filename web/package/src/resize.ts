/** Pixels without alpha: `data` holds `height` rows of `width` times red, green, blue. */
export interface Rgb {
  data: Uint8Array;
  width: number;
  height: number;
}

/** A resampling filter, which is zero from `support` on. */
export interface Filter {
  support: number;
  at(distance: number): number;
}

const BILINEAR: Filter = { support: 1, at: (distance) => (distance < 1 ? 1 - distance : 0) };

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
export const LANCZOS: Filter = { support: 3, at: (distance) => (distance < 3 ? sinc(distance) * sinc(distance / 3) : 0) };

/*
 * Pillow's antialiased resize of 8-bit pictures (src/libImaging/Resample.c), bit for bit: two passes,
 * each in fixed point and rounded to 8 bits. Canvas resizing, which differs from browser to browser,
 * moved confidences by 0.02.
 */
const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

interface Weights {
  first: Int32Array;
  count: Int32Array;
  values: Int32Array;
  stride: number;
}

function weightsFor(sizeIn: number, sizeOut: number, filter: Filter): Weights {
  const scale = sizeIn / sizeOut;
  const stretch = Math.max(scale, 1);
  const support = filter.support * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(sizeOut);
  const count = new Int32Array(sizeOut);
  const values = new Int32Array(sizeOut * stride);
  const exact = new Float64Array(stride);
  const perPixel = 1 / stretch;
  for (let out = 0; out < sizeOut; out++) {
    const center = (out + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - support + 0.5));
    const taps = Math.min(sizeIn, Math.trunc(center + support + 0.5)) - from;
    let sum = 0;
    for (let i = 0; i < taps; i++) {
      exact[i] = filter.at(Math.abs((i + from - center + 0.5) * perPixel));
      sum += exact[i]!;
    }
    for (let i = 0; i < taps; i++) {
      const share = sum === 0 ? exact[i]! : exact[i]! / sum;
      values[out * stride + i] = Math.trunc((share < 0 ? -0.5 : 0.5) + share * (1 << PRECISION_BITS));
    }
    first[out] = from;
    count[out] = taps;
  }
  return { first, count, values, stride };
}

function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function resizeWidth(picture: Rgb, width: number, filter: Filter): Rgb {
  if (width === picture.width) return picture;
  const { first, count, values, stride } = weightsFor(picture.width, width, filter);
  const source = picture.data;
  const data = new Uint8Array(width * picture.height * 3);
  let to = 0;
  for (let y = 0; y < picture.height; y++) {
    const row = y * picture.width;
    for (let x = 0; x < width; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let from = (row + first[x]!) * 3;
      for (let k = x * stride, end = k + count[x]!; k < end; k++) {
        const weight = values[k]!;
        red = (red + source[from++]! * weight) | 0;
        green = (green + source[from++]! * weight) | 0;
        blue = (blue + source[from++]! * weight) | 0;
      }
      data[to++] = clip8(red);
      data[to++] = clip8(green);
      data[to++] = clip8(blue);
    }
  }
  return { data, width, height: picture.height };
}

function resizeHeight(picture: Rgb, height: number, filter: Filter): Rgb {
  if (height === picture.height) return picture;
  const { first, count, values, stride } = weightsFor(picture.height, height, filter);
  const rowLength = picture.width * 3;
  const source = picture.data;
  const data = new Uint8Array(rowLength * height);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let i = 0; i < count[y]!; i++) {
      const weight = values[y * stride + i]!;
      const from = (first[y]! + i) * rowLength;
      for (let x = 0; x < rowLength; x++) sums[x] = sums[x]! + source[from + x]! * weight;
    }
    const to = y * rowLength;
    for (let x = 0; x < rowLength; x++) data[to + x] = clip8(sums[x]!);
  }
  return { data, width: picture.width, height };
}

/** The picture at a new size, exactly as Pillow's `resize((width, height), filter)` gives it (13.0 and newer). */
export function resize(picture: Rgb, width: number, height: number, filter = BILINEAR): Rgb {
  const [taller, wider] = [picture.height - height, picture.width - width];
  // Pillow's own rule; which pass goes first moves values by 1 of 255 at most.
  return taller > 0 && taller > wider * 2
    ? resizeWidth(resizeHeight(picture, height, filter), width, filter)
    : resizeHeight(resizeWidth(picture, width, filter), height, filter);
}
