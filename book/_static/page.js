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
