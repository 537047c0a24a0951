// What a cell shows may hold anything: only what draws, tabulates or sets formulas enters the page.

const TAGS = new Set(
  ("a b blockquote br caption clippath code col colgroup datalist dd defs div dl dt em figcaption " +
    "figure form g h2 h3 h4 h5 h6 hr i image img input label li lineargradient math menclose merror " +
    "mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace " +
    "msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover ol option output p path " +
    "pattern pre rect s select small span stop strong sub summary details sup svg table tbody td " +
    "template text tfoot th thead tr tspan u ul use circle ellipse line polygon polyline").split(" "),
);
const ADDRESS = /^(#|data:image\/(png|jpeg|svg\+xml);base64,)/;

function enter(part) {
  for (const child of [...part.children]) {
    if (!TAGS.has(child.localName.toLowerCase())) {
      child.remove();
      continue;
    }
    for (const { name, value } of [...child.attributes]) {
      const leads = ["href", "xlink:href", "src"].includes(name) && !ADDRESS.test(value);
      const refers = /url\((?!\s*["']?#)|@import|image-set/i.test(value) && name !== "aria-label";
      const other = /^(on|srcset|action|formaction|target|ping|background|poster)/i.test(name);
      if (leads || refers || other) child.removeAttribute(name);
    }
    enter(child.content ?? child);
  }
}

export function clean(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  enter(template.content);
  return template.content;
}
