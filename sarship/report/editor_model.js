"use strict";
// The features and what was done to them. Every change makes new objects, so to undo is to take the old ones again.
const model = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const CORNERS = { Point: 1, LineString: 2, Polygon: 3 }, TOGETHER_MS = 1000;
  const original = data.features.map((feature, key) => ({ ...feature, key }));
  const listeners = [];
  let features = original, saved = original, seen = data.version, past = [], future = [], next = original.length;
  let last = { tag: "", time: 0 };

  const tell = () => listeners.forEach((listener) => listener());
  const rounded = (metres) => Math.round(metres * 100) / 100;
  const moved = (point, dx, dy) => [rounded(point[0] + dx), rounded(point[1] + dy), ...point.slice(2)];
  // Changes of one kind that follow on each other within a second are undone together, as those of a key held down.
  const change = (changed, tag = "") => {
    const now = Date.now();
    if (!tag || tag !== last.tag || now - last.time > TOGETHER_MS) past = [...past, features];
    last = { tag, time: now };
    future = [];
    features = changed;
    tell();
  };
  const edit = (key, values, tag) =>
    change(features.map((feature) => (feature.key === key ? { ...feature, ...values } : feature)), tag);
  const find = (key) => features.find((feature) => feature.key === key);
  const withPath = (feature, number, points) =>
    feature.paths.map((path, k) => (k === number ? { ...path, points } : path));
  const step = (from, to) => {
    if (!from.length) return;
    to.push(features);
    features = from.pop();
    last = { tag: "", time: 0 };
    tell();
  };

  return {
    data, find, CORNERS,
    onChange: (listener) => listeners.push(listener),
    all: () => features,
    isDirty: () => features !== saved,
    canUndo: () => past.length > 0,
    canRedo: () => future.length > 0,
    undo: () => step(past, future),
    redo: () => step(future, past),
    set: (key, values) => {
      const feature = find(key);
      if (Object.entries(values).some(([name, value]) => feature[name] !== value)) edit(key, values);
    },
    moveCorner: (key, path, corner, dx, dy, tag) => {
      const feature = find(key), points = feature.paths[path].points;
      const there = points.map((point, k) => (k === corner ? moved(point, dx, dy) : point));
      edit(key, { paths: withPath(feature, path, there) }, tag);
    },
    moveAll: (key, dx, dy, tag) => {
      const paths = find(key).paths.map((path) => ({ ...path, points: path.points.map((one) => moved(one, dx, dy)) }));
      edit(key, { paths }, tag);
    },
    insertCorner: (key, path, after, x, y) => {
      const feature = find(key), points = feature.paths[path].points;
      const corner = [rounded(x), rounded(y), ...points[after].slice(2)];
      edit(key, { paths: withPath(feature, path, points.toSpliced(after + 1, 0, corner)) });
    },
    // Returns why not, or nothing. A path with too few corners left goes as a whole, as long as others of its kind stay.
    deleteCorner: (key, path, corner) => {
      const feature = find(key), points = feature.paths[path].points, part = feature.paths[path].part;
      if (points.length > CORNERS[feature.type])
        return edit(key, { paths: withPath(feature, path, points.toSpliced(corner, 1)) });
      const isOutline = feature.paths.findIndex((one) => one.part === part) === path;
      const paths = feature.paths.filter((one, k) => (isOutline ? one.part !== part : k !== path));
      if (!paths.length) return `It has the ${points.length === 1 ? "one corner" : "fewest corners"} that it can have; delete all of it instead.`;
      return edit(key, { paths });
    },
    add: (kind, type, points) => {
      const names = new Set(features.map((feature) => feature.name));
      const title = kind[0].toUpperCase() + kind.slice(1);
      let number = 1;
      while (names.has(`${title} ${number}`)) number += 1;
      const places = type === "Point" ? points.map((point, part) => ({ part, points: [point] })) : [{ part: 0, points }];
      const paths = places.map((path) => ({ ...path, points: path.points.map((point) => moved(point, 0, 0)) }));
      const key = next;
      next += 1;
      const feature = { key, source: null, name: `${title} ${number}`, kind, max_distance_m: null, type, paths };
      change([...features, feature]);
      return key;
    },
    remove: (key) => change(features.filter((feature) => feature.key !== key)),
    // What the server gets: paths that nobody touched are those of the file, and stay there.
    toSend: () => ({
      base: data.version, seen,
      features: features.map(({ key, ...feature }) => {
        const isAsBefore = feature.source !== null && feature.paths === original[feature.source].paths;
        return { ...feature, paths: isAsBefore ? null : feature.paths };
      }),
    }),
    wasSaved: (sent, version) => { saved = sent; seen = version; tell(); },
  };
})();
