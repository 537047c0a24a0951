// Explorers: the controls choose a frame, which is loaded when it is first chosen, or waits in a
// template where a cell of a live page has just drawn it.

function enliven(explorer) {
  const controls = [...explorer.querySelectorAll("select, input[type=range]")];
  const animate = explorer.querySelector("input[type=checkbox]");
  const picture = explorer.querySelector(".frame");
  const drawn = explorer.querySelector("template")?.content.children;
  const loading = new Map(); // by number of the frame
  let wanted;

  function load(number) {
    if (drawn) return Promise.resolve(drawn[number].outerHTML);
    const frame = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.onload = () => resolve(script.frame);
      script.onerror = reject;
      script.src = `${explorer.dataset.frames}/${number}.js`;
      document.head.append(script);
    });
    frame.catch(() => loading.delete(number)); // so that it can be tried again
    return frame;
  }

  async function show() {
    wanted = 0;
    for (const control of controls) {
      const options = control.options ?? control.list.options;
      wanted = wanted * options.length + Number(control.value);
      if (control.list) {
        const label = options[control.value].label;
        control.nextElementSibling.textContent = label;
        control.ariaValueText = label;
      }
    }
    const number = wanted;
    if (!loading.has(number)) loading.set(number, load(number));
    const frame = await loading.get(number).catch(() => "<p>This picture could not be loaded.</p>");
    if (number === wanted) picture.innerHTML = frame;
  }

  async function play() {
    // A new frame is read aloud, but not every frame of an animation.
    picture.ariaLive = animate.checked ? "off" : "polite";
    const slider = document.getElementById(animate.dataset.moves);
    if (animate.checked && slider.value === slider.max) slider.value = 0;
    while (animate.checked) {
      await Promise.all([show(), new Promise((resolve) => setTimeout(resolve, 600))]);
      if (slider.value === slider.max) animate.checked = false;
      else if (animate.checked) slider.stepUp();
    }
    picture.ariaLive = "polite";
  }

  for (const control of controls) control.addEventListener("input", show);
  animate?.addEventListener("change", play);
}

for (const explorer of document.querySelectorAll(".nnlab-explorer")) enliven(explorer);
document.addEventListener("nnlab-explorer", ({ detail }) => enliven(detail));
