/** What the page says, in each of its languages. `{name}` is filled in. */
const en = {
  invitation: "Drop pictures here. They turn upright.",
  promiseOfPrivacy: "Decided on this device. Nothing is uploaded.",
  choose: "Choose pictures",
  orPaste: "or paste them, or drop a folder",
  settings: "Settings",
  howSure: "Turn a picture when",
  careful: "certain",
  balanced: "sure",
  best: "in any case",
  carefulMeaning: "Hardly ever wrong; more pictures are left alone as unsure.",
  balancedMeaning: "Rarely wrong; doubtful pictures are left alone.",
  bestMeaning: "Every picture gets the likeliest answer.",
  askServer: "Ask the server about unsure pictures",
  serverMeaning: "Off: nothing leaves this device. On: a small view (1,024 pixels at most) of each unsure picture is sent, never the file.",
  serverMissing: "There is no upright server behind this page, or it is not ready. Run “upright serve” to have one.",
  serverRefused: "The server answered {status}; the switch is off again.",
  account: "Views sent: {sent} ({bytes}). Stayed here: {saved} ({percent} %).",
  results: "Pictures",
  progress: "Pictures decided",
  counting: "{done} of {all}",
  counted: "{all} pictures",
  countedOne: "1 picture",
  show: "Show",
  all: "All",
  turned: "Turned",
  kept: "Upright already",
  unsure: "Unsure",
  failed: "Not opened",
  clear: "Clear",
  download: "Download {count} as zip",
  zipping: "Packing {done} of {all}",
  keys: "Keyboard",
  keysMeaning: "Inside a picture: L turns it left, R right, U by 180°, A as guessed, Z takes your turn back, D downloads it, N and P go to the next and the previous picture.",
  before: "before",
  after: "after",
  waiting: "Waiting",
  working: "Looking",
  turn0: "Upright already",
  turn90: "Turned 90° right",
  turn180: "Turned by 180°",
  turn270: "Turned 90° left",
  hand: "Turned by hand",
  handKept: "Left as it was, by hand",
  confident: "{percent} % sure",
  byServer: "{percent} % sure, says the server",
  guess: "left alone; perhaps {turn}, {percent} %",
  blank: "left alone; there is nothing to see",
  degrees0: "upright",
  degrees90: "90° right",
  degrees180: "180°",
  degrees270: "90° left",
  left: "Turn {name} left",
  right: "Turn {name} right",
  half: "Turn {name} by 180°",
  accept: "Turn {turn}",
  acceptName: "Turn {turn}, as guessed: {name}",
  undo: "Undo",
  undoName: "Undo your turn of {name}",
  save: "Download",
  saveName: "Download {name}",
  altBefore: "{name} as it was",
  altAfter: "{name} upright",
  saveKeep: "The file as it is, unchanged.",
  saveTag: "Same bytes; only the orientation tag changes.",
  savePng: "Saved as a new PNG: pixels kept, camera data not.",
  cannotOpen: "This browser cannot open it: {reason}",
  foreign: "few browsers read this format. The command “upright correct” does.",
  broken: "damaged, or of an unknown kind.",
  failedWrite: "{name} could not be saved: {reason}",
  zipLarge: "A zip holds at most 4 GB and 65,535 files; choose fewer pictures.",
  loading: "Getting the model ready…",
  ready: "Model {model} {version} · WebAssembly, {threads} thread(s) · ready after {seconds} s",
  offline: "works offline",
  trouble: "The model could not be loaded: {reason}",
  footer: "Free software under the Apache License 2.0.",
  theme: "Light or dark",
  news: "{done} of {all} pictures decided, {unsure} unsure",
  newsTurn: "{name}: {verdict}",
};

export type Key = keyof typeof en;

const zh: Record<Key, string> = {
  invitation: "把图片拖到这里，它们会自动转正。",
  promiseOfPrivacy: "全部在本机判断，不上传任何内容。",
  choose: "选择图片",
  orPaste: "也可以粘贴，或拖入文件夹",
  settings: "设置",
  howSure: "何时转动图片",
  careful: "确定无疑时",
  balanced: "有把握时",
  best: "总是",
  carefulMeaning: "几乎不会转错；更多图片会因拿不准而保持原样。",
  balancedMeaning: "很少转错；拿不准的图片保持原样。",
  bestMeaning: "每张图片都按最可能的方向处理。",
  askServer: "拿不准的图片询问服务器",
  serverMeaning: "关闭：任何内容都不离开本机。打开：只发送拿不准图片的缩略视图（最大 1024 像素），不发送原文件。",
  serverMissing: "此页面背后没有 upright 服务器，或尚未就绪。运行 “upright serve” 即可。",
  serverRefused: "服务器返回 {status}，开关已关闭。",
  account: "已发送视图：{sent} 个（{bytes}）。留在本机：{saved}（{percent} %）。",
  results: "图片",
  progress: "已判断的图片",
  counting: "{done} / {all}",
  counted: "{all} 张图片",
  countedOne: "1 张图片",
  show: "显示",
  all: "全部",
  turned: "已转正",
  kept: "本来就正",
  unsure: "拿不准",
  failed: "打不开",
  clear: "清空",
  download: "打包下载 {count} 张",
  zipping: "正在打包 {done} / {all}",
  keys: "键盘操作",
  keysMeaning: "焦点在某张图片内时：L 左转，R 右转，U 转 180°，A 按猜测转动，Z 撤销手动转动，D 下载，N 下一张，P 上一张。",
  before: "之前",
  after: "之后",
  waiting: "等待中",
  working: "判断中",
  turn0: "本来就正",
  turn90: "已右转 90°",
  turn180: "已转 180°",
  turn270: "已左转 90°",
  hand: "已手动转动",
  handKept: "已手动保持原样",
  confident: "把握 {percent} %",
  byServer: "服务器把握 {percent} %",
  guess: "保持原样；可能是{turn}，{percent} %",
  blank: "保持原样；画面上没有内容",
  degrees0: "正的",
  degrees90: "右转 90°",
  degrees180: "180°",
  degrees270: "左转 90°",
  left: "左转 {name}",
  right: "右转 {name}",
  half: "将 {name} 转 180°",
  accept: "{turn}",
  acceptName: "{turn}，按猜测：{name}",
  undo: "撤销",
  undoName: "撤销对 {name} 的手动转动",
  save: "下载",
  saveName: "下载 {name}",
  altBefore: "{name}，原样",
  altAfter: "{name}，转正后",
  saveKeep: "文件原样，未作改动。",
  saveTag: "字节不变，只改方向标记。",
  savePng: "另存为新的 PNG：像素保留，拍摄信息不保留。",
  cannotOpen: "此浏览器打不开：{reason}",
  foreign: "多数浏览器不支持这种格式，请用命令 “upright correct”。",
  broken: "文件已损坏，或格式未知。",
  failedWrite: "{name} 无法保存：{reason}",
  zipLarge: "一个 zip 最多 4 GB、65535 个文件；请少选一些图片。",
  loading: "正在准备模型…",
  ready: "模型 {model} {version} · WebAssembly，{threads} 线程 · {seconds} 秒就绪",
  offline: "可离线使用",
  trouble: "模型无法加载：{reason}",
  footer: "自由软件，Apache 许可证 2.0。",
  theme: "浅色或深色",
  news: "已判断 {done} / {all} 张图片，{unsure} 张拿不准",
  newsTurn: "{name}：{verdict}",
};

const LANGUAGES = { en, zh };
export type Language = keyof typeof LANGUAGES;
let language: Language = "en";

/** The text in the language that is set, with its gaps filled. */
export function say(key: Key, gaps: Record<string, string | number> = {}): string {
  return LANGUAGES[language][key].replace(/\{(\w+)\}/g, (_, name: string) => String(gaps[name] ?? ""));
}

export function currentLanguage(): Language {
  return language;
}

/** Set the language and put its texts into every marked element under `root`. */
export function setLanguage(chosen: Language, root: Document): void {
  language = chosen;
  root.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
  translate(root);
  root.querySelectorAll("template").forEach(({ content }) => translate(content));
}

function translate(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = say(element.dataset.text as Key);
  }
  for (const element of root.querySelectorAll<HTMLElement>("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label as Key));
  }
}

export function bytesAsText(bytes: number): string {
  const [value, unit] =
    bytes < 1e6 ? [bytes / 1e3, "kilobyte"] : bytes < 1e9 ? [bytes / 1e6, "megabyte"] : [bytes / 1e9, "gigabyte"];
  const options = { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 } as const;
  return new Intl.NumberFormat(language, options).format(value);
}
