/** Pictures come in by choosing, dropping (folders too) and pasting. */
export interface Found {
  file: File;
  name: string;
}

/** What was given, and the names of what is passed over: no picture as far as its name tells, or not to be read. */
export interface Given {
  pictures: Found[];
  passed: string[];
}

const MAY_BE_A_PICTURE = /^image\/|^$|^application\/(octet-stream|pdf|dicom)$/;
const NEVER_A_PICTURE = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)$/;

export function takeIn(
  zone: HTMLElement,
  inputs: HTMLInputElement[],
  /** Files or folders were given. */
  take: (given: Given) => void,
  /** What was dropped is no file. */
  none: () => void,
): void {
  const give = (files: Found[], unread: string[] = []) => {
    const isWanted = ({ file, name }: Found) => MAY_BE_A_PICTURE.test(file.type) && !NEVER_A_PICTURE.test(name);
    const passed = files.filter((each) => !isWanted(each)).map(({ name }) => name);
    take({ pictures: files.filter(isWanted), passed: [...passed, ...unread] });
  };

  for (const input of inputs) {
    input.addEventListener("change", () => {
      give(named([...(input.files ?? [])]));
      input.value = "";
    });
  }

  // Text can be pasted and dropped, too, which is no file.
  const giveFiles = (files: File[]) => files.length && give(named(files));
  window.addEventListener("paste", ({ clipboardData }) => giveFiles([...(clipboardData?.files ?? [])]));

  let depth = 0;
  const mark = (change: number) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  window.addEventListener("dragenter", () => mark(1));
  window.addEventListener("dragleave", () => mark(-1));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    const data = event.dataTransfer;
    if (!data) return;
    // Entries must be asked for before the handler returns.
    const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry != null);
    const unread: string[] = [];
    if (entries.length) void Promise.all(entries.map((entry) => walked(entry, unread))).then((all) => give(all.flat(), unread));
    else if (data.files.length) giveFiles([...data.files]);
    else none();
  });
}

function named(files: File[]): Found[] {
  return files.map((file) => ({ file, name: file.webkitRelativePath || file.name || "picture" }));
}

/** The files of a folder and of those in it; `unread` gets the names of what cannot be read. */
async function walked(entry: FileSystemEntry, unread: string[]): Promise<Found[]> {
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File | undefined>((done) =>
      (entry as FileSystemFileEntry).file(done, () => done(undefined)),
    );
    if (!file) unread.push(name);
    return file ? [{ file, name }] : [];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: Found[] = [];
  for (;;) {
    // A reader gives a hundred entries or so at a time.
    const some = await new Promise<FileSystemEntry[]>((done) => reader.readEntries(done, () => {
      unread.push(`${name}/`);
      done([]);
    }));
    if (!some.length) return all;
    for (const child of some) all.push(...(await walked(child, unread)));
  }
}
