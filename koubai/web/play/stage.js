// What trains, drawn as it trains: a card a variant, curves of all, and what each looks like inside. The server sends a `scene` (what is on
// the board), then `frame`s; each is drawn once, and answered by "drawn", so that a slow browser is never sent more than it can draw.

const MOST = 400; // points of a curve; then every second goes
const KEPT = 16; // pictures of samples
const LONGEST = 400; // milliseconds that a chart waits for its turn
const SIGNED = ["--blue", "--red"]; // what is above 0, what is below

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const near = (element, room) => { const { top, bottom } = element.getBoundingClientRect(); return bottom > -room && top < window.innerHeight + room; };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
const share = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)}%`);
const short = (value) => (value === null || value === undefined ? "–" : Math.abs(value) < 1e6 ? `${Number(value.toPrecision(3))}` : value.toExponential(1).replace("+", ""));
const whole = (value) => value.toLocaleString("en-US");
// A label with places where a narrow card may break it.
const breakable = (label) => label.replace(/[=_,]/g, "$&\u200b");
// A factor as people say it: 1.3 `times`, 1/320 `part`, 1/5.9e12
const factor = (value, { times, part }) => {
  if (value >= 0.095) return times.replace("{n}", Number(value.toPrecision(2)));
  return part.replace("{n}", value > 1e-6 ? whole(Number((1 / value).toPrecision(2))) : (1 / value).toExponential(1).replace("+", ""));
};

// A small picture on a canvas of its own; `paint(k)` is a cell's colour, as `tone` gives it.
function picture(width, height, paint) {
  const canvas = new OffscreenCanvas(width, height), image = new ImageData(width, height), cells = new Uint32Array(image.data.buffer);
  for (let k = 0; k < cells.length; k++) cells[k] = paint(k);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// A colour and how much of it, 0 to 255, in the order in which a picture's bytes lie.
const tone = ([red, green, blue], alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

// A canvas as large as it is shown, cleared.
function ready(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale)), height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.scale(scale, scale);
  return [context, width / scale, height / scale];
}

function signed(canvas, part, paint) {
  const cells = bytes(part.cells), [above, below] = SIGNED.map((name) => rgb(paint[name]));
  const made = picture(part.width, part.height, (k) => {
    const value = (255 / 127) * (cells[k] - 127);
    return cells[k] === 255 ? 0 : tone(value < 0 ? below : above, Math.abs(value));
  });
  const [context, width, height] = ready(canvas);
  const scale = Math.min(width / part.width, height / part.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(made, (width - scale * part.width) / 2, (height - scale * part.height) / 2, scale * part.width, scale * part.height);
}

export default {
  props: { scene: Object, words: Object, charts: Object },
  emits: ["drawn", "key", "remove", "prescribe"],
  template: `
    <div class="stage">
      <p class="clock"><span aria-hidden="true" class="track"><i :style="{ width: 100 * along + '%' }"></i></span>
        <span class="step">{{ words.step }} <b data-step>{{ whole(step) }}</b> / {{ whole(total) }}</span></p>
      <div class="specimens">
        <article v-for="(one, k) in scene.variants" :key="scene.run + ':' + k" class="specimen" :style="{ '--mine': one.color }" :data-variant="k">
          <header><i class="swatch" :class="one.dash" aria-hidden="true"></i><h2>{{ breakable(one.label) }}</h2>
            <button v-if="scene.variants.length > 1" type="button" class="remove" :aria-label="words.remove + ': ' + one.label" :title="words.remove" @click="$emit('remove', k)">×</button></header>
          <canvas class="picture" :class="{ plane: cloud(one).length }" role="img" :aria-label="pictured(k)"></canvas>
          <p class="caption"><template v-if="cloud(one).length"><span v-for="(name, n) in scene.names" class="class"><i :style="{ background: scene.classes[n] }"></i>{{ name }}</span>
            <span>{{ words.filled }}</span><span>{{ words.rings }}</span></template><span v-else>{{ filters(one) ? words.filters : words.firstWeights }}</span></p>
          <dl><div><dt>{{ scene.quantity ? words.quantity : words.accuracy }}</dt><dd class="accuracy">{{ accuracy(k) }}</dd></div><div><dt>{{ words.loss }}</dt><dd>{{ loss(k) }}</dd></div></dl>
          <p v-if="now(k).lost" class="lost" role="status">{{ lost(k) }}</p>
          <div class="flow" role="img" :aria-label="words.flow + ': ' + arrives(k)"><canvas></canvas><span aria-hidden="true"><b>{{ words.first }}</b><b>{{ words.last }}</b></span></div>
          <p class="arrives">{{ arrives(k) }}</p>
          <div class="doctor" role="status">
            <p v-for="said in now(k).doctor || []" :class="said.severity"><b>{{ said.title }}</b> {{ said.text }}</p>
            <button v-if="(now(k).doctor || []).length" type="button" class="button" @click="$emit('prescribe', k)">{{ words.prescribe }}</button>
          </div>
        </article>
        <slot></slot>
      </div>
      <slot name="below"></slot>
      <div class="charts">
        <figure v-for="(chart, name) in plots" :key="name"><figcaption>{{ chart.title }}</figcaption><div class="chart" :data-chart="name" role="img" :aria-label="chart.title"></div></figure>
      </div>
      <details class="inside" :open="wide" @toggle="redraw">
        <summary>{{ words.inside }}</summary>
        <p class="soft small">{{ words.insideAbout }}<span v-if="scene.variants.some(filters)">{{ words.mapsAbout }}</span></p>
        <section v-for="(one, k) in scene.variants" :key="scene.run + ':' + k" class="strip" :style="{ '--mine': one.color }" :data-strip="k">
          <h3><i class="swatch" :class="one.dash" aria-hidden="true"></i>{{ one.label }}</h3>
          <div class="layers">
            <div v-for="(layer, n) in one.blocks" class="layer">
              <span class="name">{{ layer.name }}</span>
              <canvas class="weights" role="img" :aria-label="words.weights + ': ' + layer.name"></canvas>
              <span class="small">{{ words.weights }} ±{{ short(((now(k).weights || [])[n] || {}).reach) }}</span>
              <template v-if="layer.activation !== null"><canvas class="histogram" role="img" :aria-label="words.activations + ': ' + layer.name"></canvas>
                <span class="small range">{{ range(k, layer.activation) }}</span></template>
            </div>
          </div>
          <div class="layers" v-if="(now(k).maps || []).length">
            <div v-for="map in now(k).maps" class="layer"><span class="name">{{ map.name }}</span><canvas class="map" role="img" :aria-label="words.maps + ': ' + map.name"></canvas></div>
          </div>
        </section>
      </details>
    </div>`,
  data: () => ({ last: null, wide: window.innerWidth > 900 }),
  computed: {
    step() { return this.last ? this.last.step : 0; },
    total() { return Math.max(1, ...this.scene.variants.map((one) => one.steps)); },
    plots() { const { quantity, ...usual } = this.charts; return this.scene.quantity ? { ...usual, accuracy: quantity } : usual; },
    along() { return this.step / this.total; },
  },
  mounted() {
    this.series = [];
    this.drawn = new Map();
    this.due = []; // parts that are to be drawn again
    this.watching = new MutationObserver(() => this.redraw());
    this.watching.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    this.sized = new ResizeObserver(() => this.redraw());
    this.sized.observe(this.$el);
    document.addEventListener("keydown", this.pressed);
    document.addEventListener("scroll", this.slowly, { passive: true });
    this.redraw();
  },
  unmounted() {
    this.watching.disconnect();
    this.sized.disconnect();
    document.removeEventListener("keydown", this.pressed);
    document.removeEventListener("scroll", this.slowly);
    clearTimeout(this.later);
    for (const one of this.$el.querySelectorAll(".chart")) if (this.Plotly) this.Plotly.purge(one);
  },
  watch: {
    scene(now, before) {
      if (now.run !== before.run) { this.last = null; this.series = []; }
      if (this.waiting && this.waiting.run === now.run) this.$nextTick(() => this.frame(this.waiting));
    },
  },
  methods: {
    whole, short, breakable,
    cloud(one) { return this.scene.clouds[one.cloud]; },
    filters(one) { return one.blocks[0].name.startsWith("conv"); },
    now(k) { return (this.last && this.last.variants[k]) || {}; },
    accuracy(k) {
      const [mean, low, high] = this.now(k).accuracy || [];
      return this.scene.quantity ? short(mean) : share(mean) + (high > low ? ` ±${(50 * (high - low)).toFixed(1)}` : "");
    },
    loss(k) { return short((this.now(k).loss || [])[0]); },
    lost(k) { return this.words.lost.replace("{n}", this.now(k).lost).replace("{of}", this.scene.seeds); },
    pictured(k) { const one = this.scene.variants[k]; return `${one.label}: ${this.cloud(one).length ? this.words.boundary : this.words.weights}`; },
    range(k, n) { const one = (this.now(k).histograms || [])[n]; return one ? one.range.map(short).join(" … ") : ""; },
    arrives(k) {
      const means = (this.now(k).flow || [])[0] || [];
      if (!means.length) return " ";
      return means[0] === null ? this.words.nothing : this.words.arrives.replace("{share}", factor(means[0], this.words));
    },
    pressed(event) {
      const on = event.target.closest("input, select, textarea, [contenteditable], .q-dialog");
      if (on || event.ctrlKey || event.metaKey || event.altKey) return;
      const key = { " ": "start", s: "step", r: "reset" }[event.key];
      if (!key || (key === "start" && event.target.closest("button, a, summary"))) return;
      event.preventDefault();
      if (!event.repeat || key === "step") this.$emit("key", key);
    },
    // One look at all variants; `run` says of which scene.
    frame(look) {
      if (look.run !== this.scene.run) { this.waiting = look; return; } // its scene is on the way, or it is of one that is gone
      const now = performance.now();
      [this.gap, this.came] = [now - this.came, now];
      this.last = Object.freeze(look); // nothing in it changes, so Vue need not watch it
      this.append(look);
      requestAnimationFrame(() => { this.redraw(); this.$emit("drawn"); });
    },
    append(look) {
      look.variants.forEach((one, k) => {
        const curve = (this.series[k] ||= { step: [], loss: [], accuracy: [] });
        for (const point of [...one.past, one]) { // points of the history that no look has seen, then the look
          if (curve.step.length && curve.step.at(-1) >= point.step) continue;
          for (const name of ["step", "loss", "accuracy"]) curve[name].push(point[name]);
        }
        if (curve.step.length > MOST) for (const name of ["step", "loss", "accuracy"]) curve[name] = curve[name].filter((_, n) => n % 2 === 0);
      });
    },
    redraw() {
      if (!this.last || !this.$el.isConnected) return;
      this.paint = Object.fromEntries(["--paper", "--line", ...SIGNED].map((name) => [name, css(name)]));
      this.scene.variants.forEach((one, k) => this.card(one, k));
      this.slowly();
    },
    // Curves and what is inside cost more than cards, so they follow behind, one after another: those that are seen in a tenth of the time
    // while frames come (at the pace of the last two, which many pages slow down), and else at once, with those that soon will be.
    slowly() {
      this.due = [...new Set([...this.due, ...Object.keys(this.plots), "inside"])];
      if (this.later) return;
      const draw = () => {
        this.later = null;
        if (!this.due.length || !this.last || !this.$el.isConnected) return;
        const begun = performance.now(), still = !(begun - this.came < Math.max(LONGEST, 3 * this.gap)), name = this.due.shift();
        this.room = still ? window.innerHeight / 2 : 0;
        if (name !== "inside") this.chart(name);
        else if (this.$el.querySelector(".inside").open) this.scene.variants.forEach((one, k) => this.strip(one, k));
        this.later = setTimeout(draw, still ? 0 : Math.min(9 * (performance.now() - begun), LONGEST));
      };
      this.later = setTimeout(draw, 0);
    },
    card(one, k) {
      const card = this.$el.querySelector(`[data-variant="${k}"]`), now = this.now(k);
      if (!card) return;
      const canvas = card.querySelector(".picture");
      if (now.picture && now.picture.side) this.plane(canvas, one, now.picture);
      else if (now.picture) signed(canvas, now.picture, this.paint);
      this.bars(card.querySelector(".flow canvas"), (now.flow || [])[0] || [], one);
    },
    // The decision boundary: each class in its colour, paler where the network is less sure; the samples above.
    plane(canvas, one, part) {
      const said = bytes(part.said), sure = bytes(part.sure), colors = this.scene.classes.map(rgb);
      const made = picture(part.side, part.side, (k) => tone(colors[said[k] % colors.length], 0.75 * sure[k]));
      const [context, width, height] = ready(canvas);
      context.imageSmoothingQuality = "high";
      context.drawImage(made, 0, 0, width, height);
      context.drawImage(this.samples(one, canvas), 0, 0, width, height);
    },
    // The samples of a variant's data, drawn once for a size and a theme.
    samples(one, { width: across, height: down, clientWidth }) {
      const paper = this.paint["--paper"], key = [this.scene.run, one.cloud, across, paper].join();
      if (this.drawn.has(key)) return this.drawn.get(key);
      const made = new OffscreenCanvas(across, down), context = made.getContext("2d"), scale = across / (clientWidth || across);
      const width = across / scale, height = down / scale, colors = this.scene.classes;
      context.scale(scale, scale);
      for (const [x, y, label, held] of this.cloud(one)) {
        context.beginPath();
        context.arc(x * width, y * height, held ? 2.6 : 2.4, 0, 7);
        context.lineWidth = held ? 1.6 : 0.8;
        context.fillStyle = held ? paper : colors[label % colors.length];
        context.strokeStyle = held ? colors[label % colors.length] : paper;
        context.fill();
        context.stroke();
      }
      if (this.drawn.size >= KEPT) this.drawn.clear();
      this.drawn.set(key, made);
      return made;
    },
    // What is left of the gradient at each layer's output, on a log scale: from the output on the right to the first layer on the left.
    bars(canvas, means, one) {
      const [context, width, height] = ready(canvas), each = width / Math.max(means.length, 1), floor = -6;
      const line = this.paint["--line"], y = (power) => height * (1 - (power - floor) / (1.3 - floor));
      context.fillStyle = line;
      for (let power = floor; power <= 0; power += 2) context.fillRect(0, Math.round(y(power)) - 1, width, 1);
      means.forEach((value, k) => {
        if (value === null) return;
        const top = y(Math.min(Math.max(Math.log10(value), floor), 1.3));
        context.globalAlpha = one.kinds[k] === "weights" ? 1 : 0.45;
        context.fillStyle = one.color;
        context.fillRect(k * each + 1, Math.min(top, height - 2), each - 2, Math.max(height - top, 2));
      });
      context.globalAlpha = 1;
    },
    strip(one, k) {
      const strip = this.$el.querySelector(`[data-strip="${k}"]`), now = this.now(k);
      if (!strip || !near(strip, this.room)) return;
      strip.querySelectorAll(".weights").forEach((canvas, n) => { if ((now.weights || [])[n]) signed(canvas, now.weights[n], this.paint); });
      strip.querySelectorAll(".map").forEach((canvas, n) => { if ((now.maps || [])[n]) signed(canvas, now.maps[n], this.paint); });
      strip.querySelectorAll(".histogram").forEach((canvas, n) => {
        const part = (now.histograms || [])[n];
        if (!part) return;
        const heights = bytes(part.bars), [context, width, height] = ready(canvas), each = width / heights.length;
        context.fillStyle = one.color;
        heights.forEach((value, at) => { if (value) context.fillRect(at * each, height - Math.max(1, height * Math.sqrt(value / 254)), Math.max(each - 0.5, 0.5), height); });
      });
    },
    chart(name) {
      const el = this.$el.querySelector(`[data-chart="${name}"]`), chart = this.plots[name];
      if (!el || !near(el, this.room)) return;
      if (!this.Plotly) return void this.plotly();
      const [data, xaxis] = name === "flow" ? this.flow() : [this.curves(name), this.step ? {} : { range: [0, this.total] }];
      this.Plotly.react(el, data, { ...chart.layout, xaxis: { ...chart.layout.xaxis, ...xaxis }, datarevision: Math.random() }, chart.config);
    },
    // Plotly is half of what a page loads: it comes when a chart is first seen.
    async plotly() {
      this.Plotly = (await import("nicegui-plotly")).Plotly;
      this.slowly();
    },
    curves(name) {
      return this.scene.variants.flatMap((one, k) => {
        const curve = this.series[k] || { step: [], [name]: [] };
        return this.band(one, curve.step, curve[name], name === "accuracy" && !this.scene.quantity ? "%{y:.1%}" : "%{y:.3g}");
      });
    },
    // Layers are lined up at the output, where the gradient comes from.
    flow() {
      const longest = this.scene.variants.reduce((most, one) => (one.names.length > most.names.length ? one : most)), at = longest.names.length;
      const named = longest.names.map((name, n) => n).filter((n) => longest.kinds[n] === "weights");
      const bands = this.scene.variants.flatMap((one, k) => {
        const [mean, low, high] = this.now(k).flow || [];
        const places = one.names.map((_, n) => n + at - one.names.length);
        return mean ? this.band(one, places, mean.map((value, n) => [value, low[n], high[n]]), "×%{y:.3g}", one.names) : [];
      });
      return [bands, { tickvals: named, ticktext: named.map((n) => longest.names[n]) }];
    },
    // A mean with its interval as a band, as the report's figures have it.
    band(one, x, values, hover, names) {
      const there = values.map((value, k) => k).filter((k) => values[k][0] !== null);
      const name = one.escaped, shown = there.length < 12 ? "lines+markers" : "lines";
      const made = [];
      if (this.scene.seeds > 1) made.push({ type: "scatter", mode: "none", fill: "toself", fillcolor: one.faint, hoverinfo: "skip", showlegend: false,
        x: [...there.map((k) => x[k]), ...there.toReversed().map((k) => x[k])], y: [...there.map((k) => values[k][2]), ...there.toReversed().map((k) => values[k][1])] });
      made.push({ type: "scatter", mode: shown, name, showlegend: false, line: { color: one.color, width: 2, dash: one.dash }, marker: { symbol: one.symbol, size: 6 },
        x: there.map((k) => x[k]), y: there.map((k) => values[k][0]), text: there.map((k) => (names ? names[k] : whole(x[k]))), hovertemplate: `<b>${name}</b><br>%{text}: ${hover}<extra></extra>` });
      return made;
    },
  },
};
