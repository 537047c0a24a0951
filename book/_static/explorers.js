// What ipywidgets leaves out of its controls for people who cannot see them.

// Font Awesome would replace the icons of controls that appear later, and ipywidgets' Play fails
// without its own.
window.FontAwesomeConfig = { observeMutations: false };

function complete(explorer) {
  for (const slider of explorer.querySelectorAll(".widget-hslider")) {
    const handle = slider.querySelector(".noUi-handle");
    const readout = slider.querySelector(".widget-readout");
    handle.setAttribute("aria-label", slider.querySelector("label").textContent);
    handle.setAttribute("aria-valuetext", readout.textContent); // or its position is read
    readout.contentEditable = "false"; // typing there does nothing
  }
  // A new frame is read aloud, but not every frame of an animation.
  const animated = explorer.querySelector("input:checked");
  explorer.lastElementChild.setAttribute("aria-live", animated ? "off" : "polite");
}

const completeAll = () => document.querySelectorAll(".nnlab-explorer").forEach(complete);
new MutationObserver(completeAll).observe(document, { childList: true, subtree: true });
document.addEventListener("focusin", completeAll);
