const shown = document.querySelector("dialog");
for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => {
    for (const each of document.querySelectorAll("nav button")) each.setAttribute("aria-pressed", String(each === button));
    for (const section of document.querySelectorAll("section")) {
      section.hidden = Boolean(button.dataset.show) && section.id !== button.dataset.show;
    }
  });
}
for (const button of document.querySelectorAll("li button")) {
  button.addEventListener("click", () => {
    const turn = Number(button.dataset.turn);
    const small = button.querySelector("img");
    const figure = (name, large, thumb) => {
      const made = document.createElement("figure");
      made.innerHTML = "<div><img></div><figcaption></figcaption>";
      const image = made.querySelector("img");
      image.alt = name;
      image.className = `turn${large}`;
      // The file itself, or the small picture where the browser cannot show it.
      image.addEventListener("error", () => {
        if (!small || image.src === small.src) return;
        image.className = `turn${thumb}`;
        image.src = small.src;
      });
      if (button.dataset.link) image.src = button.dataset.link;
      else if (small) { image.className = `turn${thumb}`; image.src = small.src; }
      made.querySelector("figcaption").textContent = name;
      return made;
    };
    // A file that was written shows what came out: turned back it is what it was.
    const back = button.dataset.written === "1" ? (360 - turn) % 360 : 0;
    const figures = [figure(turn ? "before" : "as it is", back, 0)];
    if (turn) figures.push(figure(`turned by ${turn}\u00b0`, (back + turn) % 360, turn));
    shown.querySelector(".pair").replaceChildren(...figures);
    shown.querySelector("p").textContent = button.parentElement.querySelector(".words").textContent;
    shown.showModal();
  });
}
shown.addEventListener("click", (event) => { if (event.target === shown) shown.close(); });
