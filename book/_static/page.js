// What the theme and its extensions leave undone for people who read by keyboard or by ear.

function mend() {
  // These names do not hold the text that is in sight. Without them, the text is the name.
  for (const part of document.querySelectorAll(
    "summary[aria-label], .search-button-field[aria-label]"
  )) {
    part.removeAttribute("aria-label");
  }
  // The role of an entry is deprecated, and a list of such entries is none.
  for (const part of document.querySelectorAll(".citation-list, .citation")) {
    part.removeAttribute("role");
  }
  // What is too wide for a phone can be scrolled with the keyboard, too. The theme takes no notice
  // of formulas, nor of code that was folded when the page was opened.
  for (const part of document.querySelectorAll("div.math, .bd-article pre")) {
    part.tabIndex = part.scrollWidth > part.clientWidth ? 0 : -1;
  }
}

// It depends on the width of the text, and on what is unfolded.
window.addEventListener("load", () => {
  new ResizeObserver(mend).observe(document.querySelector(".bd-article") ?? document.body);
});

// The search fetches the pages that it found, to quote them: on a disk it may not.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Paper is white.
let theme;
window.addEventListener("beforeprint", () => {
  theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = theme;
});

// A live page loads what it needs when the reader asks for it.
const live = document.querySelector(".nnlab-live");
live?.querySelector("button").addEventListener("click", async ({ target }) => {
  const status = live.querySelector("[role=status]");
  if (location.protocol === "file:") {
    status.textContent =
      "A browser runs no page from a disk. Open the book from a web server: for one of your own, " +
      "type “python -m http.server” in its folder, and open http://localhost:8000.";
    return;
  }
  target.disabled = true;
  status.textContent = "Loading …";
  try {
    await (await import("../_live/live.js")).start(live);
  } catch (error) {
    console.error(error);
    target.disabled = false;
    status.textContent = "This could not be loaded. Is there a network? Press once more to try again.";
  }
});
