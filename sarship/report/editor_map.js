"use strict";
// The map: features, the handles of the selected one, and a new one while it is drawn. East and north in metres.
const chart = (() => {
  const { data } = model, MAX_HANDLES = 300, NEAR_PX = 34, GRID_M = 500, STEP_M = 1, BIG_STEP_M = 10, SMALL_PX = 150;
  const TRANSPARENT = { opacity: 0, weight: 16, fill: false };
  const at = ([x, y]) => L.latLng(y, x);
  const box = L.latLngBounds([0, 0], [data.height, data.width]);
  const map = L.map("map", {
    crs: L.CRS.Simple, attributionControl: false, minZoom: -6, maxZoom: 3, zoomSnap: 0.25, zoomDelta: 0.5,
    doubleClickZoom: false, fadeAnimation: false,
  });
  L.control.scale({ imperial: false }).addTo(map);
  ["masks", "reach", "places", "targets", "draft"].forEach((name, k) => { map.createPane(name).style.zIndex = 401 + k; });
  if (data.image) L.imageOverlay(data.image, box, { alt: "mean radar image" }).addTo(map);
  else {
    const lines = [];
    for (let x = 0; x <= data.width; x += GRID_M) lines.push([at([x, 0]), at([x, data.height])]);
    for (let y = 0; y <= data.height; y += GRID_M) lines.push([at([0, y]), at([data.width, y])]);
    L.polyline(lines, { color: "#fff", weight: 1, opacity: 0.18, interactive: false }).addTo(map);
  }

  const handlers = {};  // select, activate, say, added: the panel's
  const handles = L.layerGroup().addTo(map), draftLayer = L.layerGroup().addTo(map);
  const layers = new Map();
  let selected = null, active = null, isDragging = false, draft = null, shows = { names: true, reach: true };

  // ---- features

  const colours = (kind) => {
    const sample = document.createElement("i");
    sample.className = kind ?? "";
    document.body.append(sample);
    const colour = getComputedStyle(sample).getPropertyValue("--kind").trim() || "#cccccc";
    sample.remove();
    return colour;
  };
  const isMask = (feature) => ["land", "water", "exclude"].includes(feature.kind);
  const isCounted = (feature) => data.counted.includes(feature.kind);
  const distance = (feature) =>
    feature.max_distance_m ?? data.distances[feature.kind === "anchorage" ? "anchorage" : feature.type];
  const pixels = (metres) => metres * 2 ** map.getZoom();
  const rings = (feature, paths) => {
    const parts = new Map();
    for (const path of paths) parts.set(path.part, [...(parts.get(path.part) ?? []), path.points.map(at)]);
    return feature.type === "Polygon" ? [...parts.values()] : [...parts.values()].flat();
  };
  const outline = (feature, options) =>
    feature.type === "Polygon" ? L.polygon(rings(feature, feature.paths), options)
      : feature.type === "LineString" ? L.polyline(rings(feature, feature.paths), options)
        : L.featureGroup(feature.paths.map((path) => L.circleMarker(at(path.points[0]), { radius: 6, ...options })));
  const lay = (layer, feature, paths) => {
    if (feature.type === "Point") layer.getLayers().forEach((one, k) => one.setLatLng(at(paths[k].points[0])));
    else layer.setLatLngs(rings(feature, paths));
  };
  const draw = (feature) => {
    const group = L.featureGroup(), isSelected = feature.key === selected, color = colours(feature.kind);
    const pane = isMask(feature) ? "masks" : "places", parts = [];
    if (isCounted(feature) && shows.reach && distance(feature) > 0) {
      const reach = { color, pane: "reach", opacity: 0.22, fill: false, interactive: false };
      parts.push(feature.type === "Point"
        ? L.featureGroup(feature.paths.map((path) => L.circle(at(path.points[0]), { ...reach, fill: true, stroke: false, radius: distance(feature) })))
        : outline(feature, { ...reach, weight: 2 * pixels(distance(feature)) }));
    }
    const fill = { fill: feature.type !== "LineString", fillOpacity: isMask(feature) ? 0.1 : 0.15, fillColor: color };
    parts.push(outline(feature, { color, pane, interactive: false, weight: isSelected ? 4 : isMask(feature) ? 1.5 : 3, dashArray: feature.kind === "exclude" ? "5 4" : null, ...fill }));
    const target = outline(feature, { ...TRANSPARENT, pane: "targets" });
    target.on("click", (event) => {
      if (draft) return;
      L.DomEvent.stopPropagation(event);
      handlers.select(feature.key);
    });
    parts.push(target);
    parts.forEach((part) => part.addTo(group));
    if (shows.names && !isMask(feature) && !isSelected) {  // whose corners it would hide
      const name = document.createElement("span");
      name.textContent = feature.name ?? "";
      target.bindTooltip(name, { permanent: true, direction: "right", className: "name", opacity: 1 });
    }
    return { feature, isSelected, group, parts };
  };
  const drawFeatures = (anew = false) => {
    const kept = new Set(model.all().map((feature) => feature.key));
    for (const [key, layer] of layers) {
      const feature = kept.has(key) ? model.find(key) : null;
      if (!anew && feature === layer.feature && layer.isSelected === (key === selected)) continue;
      layer.group.remove();
      layers.delete(key);
    }
    for (const feature of model.all()) {
      if (!feature.type || layers.has(feature.key)) continue;
      const layer = draw(feature);
      layer.group.addTo(map);
      layers.set(feature.key, layer);
    }
  };

  // ---- handles

  const dragged = (handle, key, change, commit) => {
    let from;
    handle.on("dragstart", () => { isDragging = true; from = handle.getLatLng(); });
    handle.on("drag", () => {
      const to = handle.getLatLng(), layer = layers.get(key);
      const paths = change(to.lng - from.lng, to.lat - from.lat, to);
      layer.parts.forEach((part) => lay(part, layer.feature, paths));
    });
    handle.on("dragend", () => {
      isDragging = false;
      const to = handle.getLatLng();
      commit(to.lng - from.lng, to.lat - from.lat, to);
    });
  };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const make = (place, className, id, label, size, keys) => {
    const icon = L.divIcon({ className: `handle ${className}`, iconSize: [size, size] });
    if (className === "whole") icon.options.iconAnchor = [size / 2, size + 16];
    const handle = L.marker(place, { icon, draggable: true, autoPan: true, zIndexOffset: className === "between" ? 0 : 500 });
    handle.addTo(handles);
    const element = handle.getElement();
    element.dataset.id = id;
    element.setAttribute("aria-label", label);
    L.DomEvent.on(element, "keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const metres = event.shiftKey ? BIG_STEP_M : STEP_M, arrow = ARROWS[event.key];
      if (arrow && keys.move) keys.move(arrow[0] * metres, arrow[1] * metres);
      else if (["Delete", "Backspace"].includes(event.key) && keys.drop) keys.drop();
      else if (["Insert", "+", "Enter", " "].includes(event.key) && keys.insert) keys.insert();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return handle;
  };
  const isActive = (path, corner) => active?.path === path && active?.corner === corner;
  const activate = (path, corner) => {
    active = { path, corner };
    for (const element of document.querySelectorAll(".handle.active")) element.classList.remove("active");
    document.querySelector(`.handle[data-id="${path} ${corner}"]`)?.classList.add("active");
    handlers.activate();
  };
  const middle = (one, other) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
  const following = (feature, points, corner) =>
    corner + 1 < points.length ? points[corner + 1] : feature.type === "Polygon" ? points[0] : null;
  const drawHandles = () => {
    if (isDragging) return;
    const focused = document.activeElement?.dataset?.id;
    handles.clearLayers();
    const feature = selected === null || draft ? null : model.find(selected);
    if (!feature?.type) return;
    const { key, name } = feature, view = map.getBounds().pad(0.1);
    const seen = feature.paths.flatMap((path, number) => path.points.map((point, corner) => ({ path: number, corner, point })))
      .filter((one) => view.contains(at(one.point)));
    const isCrowded = seen.length > MAX_HANDLES;
    if (isCrowded) handlers.say(`${seen.length} corners are too many to show at once; zoom in to move them.`);
    for (const { path, corner, point } of isCrowded ? [] : seen) {
      const points = feature.paths[path].points, moveCorner = (dx, dy) => feature.paths.map((one, k) => k !== path ? one
        : { ...one, points: one.points.map((each, j) => (j === corner ? [each[0] + dx, each[1] + dy] : each)) });
      const handle = make(at(point), isActive(path, corner) ? "active" : "", `${path} ${corner}`, `Corner ${corner + 1} of ${points.length} of ${name}`, 28, {
        move: (dx, dy) => { activate(path, corner); model.moveCorner(key, path, corner, dx, dy, `move ${key} ${path} ${corner}`); },
        drop: () => { activate(path, corner); api.deleteCorner(); },
        insert: () => { activate(path, corner); api.insertCorner(); },
      });
      handle.on("click", () => activate(path, corner));
      handle.getElement().addEventListener("focus", () => activate(path, corner));
      dragged(handle, key, moveCorner, (dx, dy) => { active = { path, corner }; model.moveCorner(key, path, corner, dx, dy); });
      const other = following(feature, points, corner);
      if (!other || map.latLngToLayerPoint(at(point)).distanceTo(map.latLngToLayerPoint(at(other))) < NEAR_PX) continue;
      const insert = (x, y) => { active = { path, corner: corner + 1 }; model.insertCorner(key, path, corner, x, y); };
      const between = make(at(middle(point, other)), "between", `${path} ${corner} between`, `Between corners ${corner + 1} and ${(corner + 1) % points.length + 1} of ${name}: a new one`, 22,
        { insert: () => insert(...middle(point, other)) });
      dragged(between, key, (dx, dy, to) => feature.paths.map((one, k) => k !== path ? one
        : { ...one, points: one.points.toSpliced(corner + 1, 0, [to.lng, to.lat]) }), (dx, dy, to) => insert(to.lng, to.lat));
    }
    if (feature.type !== "Point") {
      const points = feature.paths.flatMap((path) => path.points);
      const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
      const [low, high] = [Math.min, Math.max].map((end) => [xs, ys].map((values) => values.reduce((a, b) => end(a, b))));
      const whole = make(at([(low[0] + high[0]) / 2, high[1]]), "whole", "whole", `All of ${name}: to be moved`, 34,
        { move: (dx, dy) => model.moveAll(key, dx, dy, `move ${key}`) });
      dragged(whole, key, (dx, dy) => feature.paths.map((one) => ({ ...one, points: one.points.map((each) => [each[0] + dx, each[1] + dy]) })),
        (dx, dy) => model.moveAll(key, dx, dy));
    }
    if (focused) document.querySelector(`.handle[data-id="${focused}"]`)?.focus({ preventScroll: true });
  };

  // ---- a new feature

  const drawDraft = () => {
    draftLayer.clearLayers();
    if (!draft) return;
    const style = { color: "#FF7A33", weight: 3, interactive: false, pane: "draft" };
    L.polyline(draft.points.map(at), style).addTo(draftLayer);
    for (const point of draft.points) L.circleMarker(at(point), { ...style, radius: 5 }).addTo(draftLayer);
  };
  const addCorner = (place) => {
    const point = [place.lng, place.lat], before = draft.points.at(-1);
    if (before && map.latLngToLayerPoint(at(before)).distanceTo(map.latLngToLayerPoint(place)) < 3) return;
    draft.points.push(point);
    drawDraft();
    handlers.drawing(draft);
    if (draft.type === "Point") api.finish();
  };
  map.on("click", (event) => { if (draft) addCorner(event.latlng); });
  map.on("dblclick", () => { if (draft && draft.points.length >= model.CORNERS[draft.type]) api.finish(); });
  map.on("zoomend", () => { drawFeatures(true); drawHandles(); });
  map.on("moveend", drawHandles);
  map.getContainer().addEventListener("keydown", (event) => {
    if (draft && event.key === "Enter" && event.target === map.getContainer()) { event.preventDefault(); api.cornerHere(); }
  });

  const api = {
    handlers, colours,
    select: (key, isToShow) => {
      if (key !== selected) active = null;
      selected = key;
      drawFeatures();
      drawHandles();
      const layer = layers.get(key);
      if (!isToShow || !layer) return;
      const bounds = layer.group.getBounds(), corners = [bounds.getNorthWest(), bounds.getSouthEast()];
      const [one, other] = corners.map((corner) => map.latLngToLayerPoint(corner));
      if (!map.getBounds().contains(bounds) || one.distanceTo(other) < SMALL_PX) map.fitBounds(bounds.pad(0.6), { maxZoom: 0 });
    },
    update: () => { drawFeatures(); drawHandles(); },
    show: (name, isShown) => { shows = { ...shows, [name]: isShown }; drawFeatures(true); },
    activeCorner: () => active,
    insertCorner: () => {
      const feature = model.find(selected), points = feature.paths[active.path].points, { path, corner } = active;
      const isLast = !following(feature, points, corner), after = isLast ? corner - 1 : corner;
      if (after < 0) return;
      active = { path, corner: after + 1 };
      model.insertCorner(selected, path, after, ...middle(points[after], following(feature, points, after)));
      document.querySelector(`.handle[data-id="${path} ${after + 1}"]`)?.focus({ preventScroll: true });
    },
    deleteCorner: () => {
      const { path, corner } = active, why = model.deleteCorner(selected, path, corner);
      if (why) { handlers.say(why); return; }
      active = null;
      document.querySelector(`.handle[data-id="${path} ${Math.max(corner - 1, 0)}"]`)?.focus({ preventScroll: true });
      handlers.activate();
    },
    draw: (kind, type) => {
      draft = { kind, type, points: [] };
      map.getContainer().classList.add("is-drawing");
      handlers.select(null);
      handlers.drawing(draft);
      map.getContainer().focus({ preventScroll: true });
    },
    cornerHere: () => addCorner(map.getCenter()),
    finish: () => {
      const { kind, type, points } = draft;
      api.cancel();
      handlers.added(model.add(kind, type, points));
    },
    cancel: () => {
      draft = null;
      map.getContainer().classList.remove("is-drawing");
      drawDraft();
      handlers.drawing(null);
    },
    isDrawing: () => draft !== null,
    centre: () => map.getSize().divideBy(2),
    showAll: () => {
      const places = L.latLngBounds([]);
      for (const { feature, group } of layers.values()) if (!isMask(feature)) places.extend(group.getBounds());
      map.fitBounds(places.isValid() ? places.pad(0.15) : box, { animate: false });
    },
    begin: () => {
      map.fitBounds(box);
      drawFeatures();
      api.showAll();
    },
  };
  return api;
})();
