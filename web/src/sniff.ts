/** What a file is, by its first bytes; as many kinds as the page has words or ways for. */
export type Kind = "JPEG" | "PNG" | "GIF" | "WebP" | "TIFF" | "HEIC" | "AVIF" | "PDF" | "JPEG XL" | "JPEG 2000" | "PSD" | "DICOM";

const BRANDS: Record<string, Kind> = {
  avif: "AVIF",
  avis: "AVIF",
  ...Object.fromEntries(["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"].map((brand) => [brand, "HEIC"])),
};
const STARTS: [text: string, kind: Kind][] = [
  ["\xff\xd8\xff", "JPEG"],
  ["\x89PNG\r\n\x1a\n", "PNG"],
  ["GIF8", "GIF"],
  ["II*\0", "TIFF"],
  ["MM\0*", "TIFF"],
  ["II+\0", "TIFF"],
  ["MM\0+", "TIFF"],
  ["\xff\x0a", "JPEG XL"],
  ["\0\0\0\x0cJXL ", "JPEG XL"],
  ["\0\0\0\x0cjP  ", "JPEG 2000"],
  ["\xff\x4f\xff\x51", "JPEG 2000"],
  ["8BPS", "PSD"],
];

export async function sniff(file: Blob): Promise<Kind | undefined> {
  const bytes = new Uint8Array(await file.slice(0, 1024).arrayBuffer());
  const head = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const found = STARTS.find(([text]) => head.startsWith(text));
  if (found) return found[1];
  if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) return "WebP";
  if (head.startsWith("ftyp", 4)) {
    // AVIF files may begin with the brand of all such files, and name their own among the compatible ones.
    const brands = head.slice(8, Math.min(64, (bytes[2]! << 8) | bytes[3]!)).match(/[\s\S]{4}/g) ?? [];
    if (brands.some((brand) => BRANDS[brand] === "AVIF")) return "AVIF";
    return brands.map((brand) => BRANDS[brand]).find(Boolean);
  }
  if (head.startsWith("DICM", 128)) return "DICOM";
  return head.includes("%PDF-") ? "PDF" : undefined;
}
