"use strict";
(() => {
  const root = document.documentElement;
  const plots = [...document.querySelectorAll(".plot")];
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

  const figureOf = (place) => {
    const figure = JSON.parse(document.getElementById("figure-" + place.dataset.figure).textContent);
    if (root.dataset.shown === "ja") {
      for (const [path, text] of figure.ja) {
        let part = figure;
        for (const name of path.slice(0, -1)) part = part[name];
        part[path[path.length - 1]] = text;
      }
    }
    return figure;
  };

  // Many panels beside each other need their width: on a phone such a figure scrolls sideways.
  const leastWidth = (layout) => {
    const starts = new Set(Object.keys(layout).filter((name) => name.startsWith("xaxis")).map((name) => (layout[name].domain || [0])[0].toFixed(3)));
    return starts.size > 1 ? starts.size * 230 : 330;
  };

  const show = (place) => {
    const { data, layout } = figureOf(place);
    const width = place.dataset.print ? 680 : Math.max(place.clientWidth, leastWidth(layout));
    const square = layout.yaxis?.scaleanchor && !layout.yaxis2; // no higher than wide, but for what stands around it
    const height = square ? Math.min(layout.height, width + 42) : layout.height;
    place.style.minHeight = height + "px";
    place.dataset.there = "yes";
    return Plotly.react(place, data, { ...layout, width, height, autosize: false }, settings);
  };

  const speak = (choice) => {
    root.dataset.shown = root.lang = choice;
    for (const button of document.querySelectorAll("[data-speak]")) button.setAttribute("aria-pressed", button.dataset.speak === choice);
    for (const place of plots) if (place.dataset.there) show(place);
    try { localStorage.setItem("koubai-language", choice); } catch { /* a page from disk may have no memory */ }
  };

  // A figure is drawn when it comes near: a long page opens at once.
  const near = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) { near.unobserve(one.target); show(one.target); }
  }, { rootMargin: "600px" });
  for (const place of plots) {
    place.style.minHeight = JSON.parse(document.getElementById("figure-" + place.dataset.figure).textContent).layout.height + "px";
    near.observe(place);
  }

  const again = () => { for (const place of plots) if (place.dataset.there) show(place); };
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(again, 150);
  });
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not(.long)")) one.open = true;
    for (const place of plots) { place.dataset.print = "yes"; show(place); }
  });
  addEventListener("afterprint", () => { for (const place of plots) { delete place.dataset.print; show(place); } });

  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  for (const button of document.querySelectorAll("[data-speak]")) button.addEventListener("click", () => speak(button.dataset.speak));
  let remembered = null;
  try { remembered = localStorage.getItem("koubai-language"); } catch { /* as above */ }
  speak(remembered === "en" || remembered === "ja" ? remembered : root.dataset.shown);
  open();
})();
