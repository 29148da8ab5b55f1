// Additions to pages that work without: copy buttons, current times, Escape for the drawer, scrolling, the live log.
"use strict";

for (const block of document.querySelectorAll(".command, .secret")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.append(button);
}

const units = [[86400, "day"], [3600, "hour"], [60, "minute"]];
function refreshTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    if (!(seconds >= 0 && seconds < 30 * 86400)) continue;
    const unit = units.find(([length]) => seconds >= length);
    const number = unit && Math.floor(seconds / unit[0]);
    time.textContent = unit ? `${number} ${unit[1]}${number > 1 ? "s" : ""} ago` : "just now";
  }
}
setInterval(refreshTimes, 15000);

const drawer = document.getElementById("drawer");
if (drawer) {
  if (location.hash === "#drawer") drawer.focus();
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") drawer.querySelector("[data-close]").click();
  });
}
const scroll = document.querySelector(".scroll");
if (scroll) {
  // Scroll to the newest deployment, on the right.
  const newest = [...scroll.querySelectorAll(".target")].pop();
  scroll.scrollLeft = newest.cx.baseVal.value + 40 - scroll.clientWidth;
  scroll.addEventListener("focusin", (event) => {
    const circle = event.target.querySelector("circle");
    if (circle) scroll.scrollLeft = circle.cx.baseVal.value - scroll.clientWidth / 2;
  });
}
const made = document.getElementById("made");
if (made) made.focus();

const calls = document.getElementById("calls");
if (calls) {
  const live = document.getElementById("live");
  const stream = new EventSource(`/requests/stream?after=${calls.dataset.after}`);
  stream.addEventListener("open", () => { live.textContent = "Live."; });
  stream.addEventListener("error", () => { live.textContent = "Not live at the moment."; });
  stream.addEventListener("message", (event) => {
    const piece = document.createElement("template");
    piece.innerHTML = event.data; // rendered by the sandbox's templates, which escape everything
    piece.content.querySelector(".call").classList.add("new");
    calls.prepend(piece.content);
    document.getElementById("no-calls").hidden = true;
    while (calls.children.length > 200) calls.lastElementChild.remove();
  });
}
