"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  const BLUE = colour("blue"), BAND = colour("band"), GREY = "#6b6b6b";
  const STATES = { agrees: "#009E73", disagrees: "#D55E00", between: GREY, not_seen: GREY };
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  let shown = data.passes.length - 1;

  // ---- tables, sorted by their headings

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = make("button", cell.textContent);
      button.type = "button";
      cell.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = cell.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => value(a).localeCompare(value(b), "en", { numeric: true }) * (down ? -1 : 1));
        if (rows.every((row) => row.cells[column].dataset.value !== undefined))
          rows.sort((a, b) => (value(a) - value(b)) * (down ? -1 : 1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // ---- series, one chart a place

  const times = data.passes.map((one) => one.time);
  const days = (u, splits) => splits.map((seconds) => new Date(seconds * 1000).toISOString().slice(0, 10));
  const margin = times.length ? Math.max(43200, 0.03 * (times.at(-1) - times[0])) : 0;
  const tops = (places) => Math.max(2, ...places.flatMap((place) =>
    place.n_high.concat(place.reports.flatMap((report) => [report.low, report.high]))));
  const topOfPiers = tops(data.places.filter((place) => !place.together));  // piers are compared with each other
  const plots = [], HEIGHT = 132;
  const DAYS = [1, 2, 3, 5, 7, 14, 30, 60, 90, 180, 365], STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

  const draw = (place) => (u) => {
    const context = u.ctx, ratio = devicePixelRatio, box = u.bbox;
    const x = (time) => u.valToPos(time, "x", true), y = (count) => u.valToPos(count, "y", true);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    const dot = (time, count, isSquare) => {
      context.beginPath();
      if (isSquare) context.rect(x(time) - 3.5 * ratio, y(count) - 3.5 * ratio, 7 * ratio, 7 * ratio);
      else context.arc(x(time), y(count), 4 * ratio, 0, 7);
      context.fillStyle = count ? BLUE : "#fff";
      context.fill();
      context.stroke();
    };
    context.lineWidth = 1.5 * ratio;
    times.forEach((time, k) => {
      if (place.n_vessels[k] === null) {
        const foot = box.top + box.height - 7 * ratio, arm = 3.5 * ratio;
        context.strokeStyle = GREY;
        context.beginPath();
        context.moveTo(x(time) - arm, foot - arm); context.lineTo(x(time) + arm, foot + arm);
        context.moveTo(x(time) + arm, foot - arm); context.lineTo(x(time) - arm, foot + arm);
        context.stroke();
        return;
      }
      context.fillStyle = BLUE + "59";
      context.fillRect(x(time) - 2.5 * ratio, y(place.n_high[k]), 5 * ratio, y(place.n_low[k]) - y(place.n_high[k]));
      context.strokeStyle = BLUE;
      dot(time, place.n_vessels[k], place.alone[k]);
    });
    for (const report of place.reports) {
      const low = report.low ?? report.high, high = report.high ?? report.low;
      const middle = x((report.from + report.to) / 2);
      const centre = (y(low) + y(high)) / 2, arm = 5 * ratio;
      context.strokeStyle = context.fillStyle = STATES[report.state];
      context.beginPath();
      for (const end of [low, high]) { context.moveTo(x(report.from), y(end)); context.lineTo(x(report.to), y(end)); }
      context.moveTo(middle, y(low)); context.lineTo(middle, y(high));
      context.stroke();
      context.beginPath();
      context.moveTo(middle, centre - arm); context.lineTo(middle + arm, centre); context.lineTo(middle, centre + arm);
      context.lineTo(middle - arm, centre); context.closePath();
      if (report.state === "disagrees") context.fillStyle = "#fff";
      context.fill();
      context.stroke();
    }
    context.fillStyle = "#1b2733";
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.textAlign = "center";
    for (const change of place.changes)
      context.fillText(change.label, (x(change.from) + x(change.to)) / 2, box.top + 13 * ratio);
    if (data.simulated) {
      context.fillStyle = "#a6490040";
      context.font = `bold ${22 * ratio}px system-ui, sans-serif`;
      context.fillText("SIMULATED", box.left + box.width / 2, box.top + box.height / 2 + 8 * ratio);
    }
    context.restore();
  };
  const bands = (place) => (u) => {
    const context = u.ctx, box = u.bbox, x = (time) => u.valToPos(time, "x", true);
    context.save();
    for (const change of place.changes) {
      context.fillStyle = BAND;
      context.fillRect(x(change.from), box.top, x(change.to) - x(change.from), box.height);
    }
    if (times.length) {
      context.fillStyle = "#1b273333";
      context.fillRect(x(times[shown]) - devicePixelRatio, box.top, 2 * devicePixelRatio, box.height);
    }
    context.restore();
  };
  const width = () => find("charts").clientWidth;
  for (const place of data.places) {
    const box = make("div", undefined, "chart"), canvas = make("div");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", place.said);
    box.append(make("h3", place.name), canvas);
    find("charts").append(box);
    const top = place.together ? tops([place]) : topOfPiers;
    const every = STEPS.find((step) => 4 * step >= top) ?? top;
    const whole = Array.from({ length: Math.floor(top / every) + 1 }, (_, k) => k * every);
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: "#4a5a68", font, grid: { stroke: "#e2e8ee" }, ticks: { show: false } };
    const plot = new uPlot({
      width: width(), height: HEIGHT, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: () => [times[0] - margin, times.at(-1) + margin] },
        y: { range: [-0.2 * top, 1.12 * top] },
      },
      axes: [
        { ...axis, gap: 6, values: days, space: 90, incrs: DAYS.map((n) => 86400 * n), size: 28 },
        { ...axis, size: 32, splits: () => whole },
      ],
      padding: [6, 12, 0, 0],
      series: [{}, { stroke: BLUE + "99", width: 1, points: { show: false } }],
      hooks: { drawClear: [bands(place)], draw: [draw(place)] },
    }, [times, place.n_vessels], canvas);
    plot.over.addEventListener("click", () => { if (plot.cursor.idx !== null) show(plot.cursor.idx); });
    plots.push(plot);
  }
  addEventListener("resize", () => plots.forEach((plot) => plot.setSize({ width: width(), height: HEIGHT })));

  // ---- map and cards of one pass

  const slider = find("slider");
  if (!slider) return;
  const place = data.map;
  let map, radar, over, piers, vessels, outlines = [];
  const at = ([column, row]) => [-row, column];
  if (place) {
    const bounds = [[-place.rows, 0], [0, place.columns]];
    const blank = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
    const zooms = { minZoom: -3, maxZoom: 4, zoomSnap: 0.25 };
    map = L.map("map", { crs: L.CRS.Simple, attributionControl: false, maxBoundsViscosity: 0.6, ...zooms });
    map.setMaxBounds(L.latLngBounds(bounds).pad(0.3));
    radar = L.imageOverlay(blank, bounds, { alt: "radar image" }).addTo(map);
    over = L.imageOverlay(blank, bounds, { alt: "brighter or darker than the empty port" });
    piers = L.layerGroup().addTo(map);
    vessels = L.layerGroup().addTo(map);
    const places = [[place.piers, { color: "#56B4E9", weight: 2 }], [place.aprons, { color: "#F0E442", weight: 2 }]];
    for (const [pier, style] of places.flatMap(([some, style]) => some.map((one) => [one, style]))) {
      const line = L.polyline(pier.rings.map((ring) => ring.map(at)), style).addTo(piers);
      line.bindTooltip(make("span", pier.name), { permanent: true, direction: "right", className: "pier", opacity: 1 });
    }
    const around = L.latLngBounds([]);
    for (const line of piers.getLayers()) around.extend(line.getBounds());
    map.fitBounds(around.isValid() ? around.pad(0.15) : bounds);
    document.querySelectorAll("input[name=layer]").forEach((input) =>
      input.addEventListener("change", () => input.value === "over" ? over.addTo(map) : over.remove()));
    for (const [id, layer] of [["show-piers", piers], ["show-vessels", vessels]])
      find(id).addEventListener("change", (event) => event.target.checked ? layer.addTo(map) : layer.remove());
  }

  const chip = (canvas, image, vessel) => {
    const side = 84, cells = 32, [column, row] = vessel.ring.slice(0, 4).reduce(
      (sum, corner) => [sum[0] + corner[0] / 4, sum[1] + corner[1] / 4], [0, 0]);
    const context = canvas.getContext("2d"), n = cells / place.step;
    canvas.width = canvas.height = side * 2;
    context.imageSmoothingEnabled = false;
    const [left, upper] = [column, row].map((middle) => (middle - cells / 2) / place.step);
    context.drawImage(image, left, upper, n, n, 0, 0, 2 * side, 2 * side);
  };
  const words = (vessel) => {
    const error = vessel.error === null ? "" : ` ± ${vessel.error}`;
    const lines = [`${vessel.pier ?? "away from piers"}, ${vessel.width} m wide`];
    const visit = { first: "there on the first pass", arrived: "arrived since the pass before", stayed: "stayed" };
    lines.push(`${vessel.status in visit ? visit[vessel.status] + ", " : ""}found by ${vessel.evidence}`, vessel.place);
    if (vessel.ais) lines.push(vessel.ais);
    const doubts = [];
    if (!vessel.counted) doubts.push("not counted");
    if (vessel.confidence < 0.995) doubts.push(`chance ${vessel.confidence.toFixed(2)}`);
    if (vessel.flag) doubts.push(vessel.flag);
    return { title: `${vessel.length}${error} m`, lines, doubts: doubts.join(", ") };
  };
  const press = (number) => {
    find("cards").querySelectorAll("button").forEach((button, k) => {
      button.setAttribute("aria-pressed", String(k === number));
      if (k === number) button.scrollIntoView({ block: "nearest" });
    });
    outlines.forEach((outline, k) => outline.setStyle({ weight: k === number ? 4 : 2 }));
  };

  function show(number) {
    shown = Math.min(Math.max(number, 0), data.passes.length - 1);
    const pass = data.passes[shown], here = data.vessels.filter((vessel) => vessel.pass === shown);
    const n = here.filter((vessel) => vessel.counted).length;
    slider.value = shown;
    const label = `${pass.label} UTC, ${pass.platform}, orbit ${pass.orbit}`;
    find("shown").textContent = label;
    slider.setAttribute("aria-valuetext", `${label}, ${n} vessels`);
    const others = here.length > n ? `, and ${here.length - n} not counted` : "";
    find("cards-title").textContent = `${n} vessels on ${pass.label} UTC${others}`;
    plots.forEach((plot) => plot.redraw(false));
    const cards = here.map((vessel, k) => {
      const said = words(vessel), item = make("li"), button = make("button"), text = make("span");
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      text.append(make("strong", said.title), ...said.lines.map((line) => make("span", line)));
      text.className = "said";
      if (said.doubts) text.append(make("span", said.doubts, "doubt"));
      if (place) {
        const canvas = make("canvas");
        canvas.setAttribute("aria-hidden", "true");
        button.append(canvas);
      }
      button.append(text);
      button.addEventListener("click", () => { press(k); if (place) map.panTo(outlines[k].getBounds().getCenter()); });
      item.append(button);
      return item;
    });
    find("cards").replaceChildren(...cards);
    if (!place) return;
    const picture = place.radar[shown];
    find("no-image").hidden = picture !== null;
    radar.setOpacity(picture === null ? 0 : 1);
    if (picture !== null) {
      radar.setUrl(picture);
      const image = new Image();
      image.onload = () => cards.forEach((card, k) => chip(card.querySelector("canvas"), image, here[k]));
      image.src = picture;
    }
    over.setOpacity(place.over[shown] === null ? 0 : 1);
    if (place.over[shown] !== null) over.setUrl(place.over[shown]);
    vessels.clearLayers();
    outlines = here.map((vessel, k) => {
      const options = { color: "#FF7A33", weight: 2, fillOpacity: 0.05, dashArray: vessel.counted ? null : "3 4" };
      const outline = L.polygon(vessel.ring.map(at), options).addTo(vessels);
      const said = words(vessel);
      outline.bindTooltip(make("span", [said.title, vessel.pier, said.doubts].filter(Boolean).join(", ")));
      outline.on("click", () => press(k));
      return outline;
    });
  }
  slider.addEventListener("input", () => show(Number(slider.value)));
  find("before").addEventListener("click", () => show(shown - 1));
  find("after").addEventListener("click", () => show(shown + 1));
  show(shown);
})();
