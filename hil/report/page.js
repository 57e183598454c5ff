// A window's story opens where one clicks, and the arrow keys go from one to the next. Without this file the links work too.
const stories = [...document.querySelectorAll(".story")];
const open = (story) => {
  for (const one of stories) one.classList.toggle("open", one === story);
  for (const cell of document.querySelectorAll("a.cell, a.chip"))
    cell.classList.toggle("chosen", cell.hash === "#" + story.id);
  story.scrollIntoView({ block: "nearest" });
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#w']");
  const story = link && document.getElementById(link.hash.slice(1));
  if (!story) return;
  event.preventDefault();
  open(story);
  story.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const story = event.target.closest(".story");
  const next = step && story && stories[stories.indexOf(story) + step];
  if (!next) return;
  event.preventDefault();
  open(next);
  next.focus({ preventScroll: true });
});
