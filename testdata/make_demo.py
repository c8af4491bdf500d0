"""Make the pictures of testdata/demo: own renders, and photographs that are free (see README.md here).

python testdata/make_demo.py FOLDER_WITH_PHOTOGRAPHS
"""

import sys
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

CLOCKWISE = {
    0: None,
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
DEMO = Path(__file__).parent / "demo"
ALICE = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once "
    "or twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, "
    "\u201cand what is the use of a book,\u201d thought Alice \u201cwithout pictures or conversations?\u201d So she "
    "was "
    "considering in her own mind (as well as she could, for the hot day made her feel very sleepy and stupid), whether "
    "the pleasure of making a daisy-chain would be worth the trouble of getting up and picking the daisies, when "
    "suddenly a White Rabbit with pink eyes ran close by her. "
)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def page() -> Image.Image:
    image = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(image)
    draw.text((140, 150), "CHAPTER I.", font=font(40), fill="black")
    draw.text((140, 220), "Down the Rabbit-Hole", font=font(58), fill="black")
    y = 340
    for paragraph in (ALICE, ALICE[: len(ALICE) // 2], ALICE):
        for line in textwrap.wrap(paragraph, 62):
            draw.text((140, y), line, font=font(30), fill=(20, 20, 20))
            y += 44
        y += 30
    draw.text((600, 1650), "7", font=font(30), fill="black")
    return image


def receipt() -> Image.Image:
    image = Image.new("L", (520, 1100), 250)
    draw = ImageDraw.Draw(image)
    draw.text((140, 40), "CORNER SHOP", font=font(36), fill=0)
    draw.text((130, 90), "12 Station Road, Milltown", font=font(20), fill=0)
    items = "Bread 2.40|Milk 1 l 1.15|Apples 1 kg 2.99|Coffee 6.49|Butter 2.79|Tea 3.20|Rice 500 g 1.89|Olive oil 7.95"
    y = 170
    for item in items.split("|"):
        name, price = item.rsplit(" ", 1)
        draw.text((40, y), name, font=font(26), fill=10)
        draw.text((400, y), f"{float(price):6.2f}", font=font(26), fill=10)
        y += 48
    draw.line((40, y, 480, y), fill=0, width=3)
    draw.text((40, y + 20), "TOTAL", font=font(38), fill=0)
    draw.text((370, y + 20), "28.86", font=font(38), fill=0)
    draw.text((40, y + 110), "Paid by card  **** 4211", font=font(24), fill=0)
    draw.text((40, y + 150), "21 Nov 2026   14:09   No. 000734", font=font(24), fill=0)
    draw.text((120, y + 260), "Thank you, come again!", font=font(26), fill=0)
    return image


def settings_window() -> Image.Image:
    image = Image.new("RGB", (1100, 720), (236, 239, 244))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1100, 56), fill=(52, 73, 110))
    draw.text((24, 12), "Settings", font=font(28), fill="white")
    for i, name in enumerate(("General", "Display", "Network", "Sound", "Privacy", "About")):
        draw.text((30, 96 + i * 60), name, font=font(24), fill=(40, 60, 90) if i != 1 else (0, 90, 200))
    draw.line((230, 56, 230, 720), fill=(200, 205, 215), width=2)
    rows = ("Brightness", "Night light", "Resolution  2560 x 1440", "Scale  125 %", "Refresh rate  60 Hz")
    for i, name in enumerate(rows):
        draw.rounded_rectangle((260, 90 + i * 100, 1070, 170 + i * 100), 12, fill="white")
        draw.text((290, 114 + i * 100), name, font=font(26), fill=(30, 30, 30))
        draw.rounded_rectangle(
            (980, 114 + i * 100, 1040, 146 + i * 100), 16, fill=(0, 120, 215) if i % 2 else (180,) * 3
        )
    draw.rounded_rectangle((930, 640, 1070, 695), 10, fill=(0, 120, 215))
    draw.text((968, 650), "Apply", font=font(26), fill="white")
    return image


def chart() -> Image.Image:
    image = Image.new("RGB", (1000, 700), "white")
    draw = ImageDraw.Draw(image)
    draw.text((250, 24), "Rainfall by month, mm", font=font(36), fill="black")
    draw.line((90, 600, 960, 600), fill="black", width=3)
    draw.line((90, 100, 90, 600), fill="black", width=3)
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    for i, (month, value) in enumerate(zip(months, (71, 55, 60, 48, 52, 64, 79, 83, 70, 88, 96, 90), strict=True)):
        left = 110 + i * 70
        draw.rectangle((left, 600 - value * 4.6, left + 46, 600), fill=(60, 120, 190))
        draw.text((left, 610), month, font=font(22), fill="black")
    for value in range(0, 101, 20):
        draw.text((40, 588 - value * 4.6), str(value), font=font(22), fill="black")
    return image


def poster() -> Image.Image:
    image = Image.linear_gradient("L").resize((800, 1130)).convert("RGB")
    image = Image.blend(image, Image.new("RGB", image.size, (200, 60, 40)), 0.6)
    draw = ImageDraw.Draw(image)
    draw.ellipse((200, 420, 600, 820), fill=(250, 210, 80))
    draw.text((90, 90), "SUMMER", font=font(150), fill="white")
    draw.text((90, 250), "CONCERT", font=font(130), fill=(255, 240, 200))
    draw.text((150, 900), "Town Hall  -  7 July  -  8 pm", font=font(40), fill="white")
    draw.text((220, 970), "Free entry for children", font=font(34), fill="white")
    return image


def save(name: str, image: Image.Image, turned: int, **options: object) -> None:
    transpose = CLOCKWISE[turned]
    image = image if transpose is None else image.transpose(transpose)
    image.save(DEMO / name, **options)


def main(photographs: Path) -> None:
    DEMO.mkdir(exist_ok=True)

    def photograph(name: str, width: int) -> Image.Image:
        image = Image.open(photographs / name).convert("RGB")
        return image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)

    save("page.jpg", page(), 90, quality=80)
    save("receipt.png", receipt(), 180, optimize=True)
    save("settings.png", settings_window(), 0, optimize=True)
    save("chart.tif", chart(), 270, compression="tiff_lzw")
    save("poster.webp", poster(), 180, quality=80)
    save("astronaut.jpg", photograph("astronaut.png", 512), 90, quality=85)
    save("rocket.jpg", photograph("rocket.jpg", 640), 270, quality=85, progressive=True)
    save("coffee.jpg", photograph("coffee.png", 600), 0, quality=85)
    save("cat.gif", photograph("chelsea.png", 320).quantize(128), 90)
    tags = Image.Exif()
    tags[0x0112] = 6  # shows the picture turned right: the answer below is found on top of a wrong tag
    save("camera.jpg", photograph("camera.png", 512), 180, quality=85, exif=tags)
    DEMO.with_name("demo-turns.csv").write_text(
        "file,turn\npage.jpg,270\nreceipt.png,180\nsettings.png,0\nchart.tif,90\nposter.webp,180\nastronaut.jpg,270\n"
        "rocket.jpg,90\ncoffee.jpg,0\ncat.gif,270\ncamera.jpg,90\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
