"use strict";
// The panel, the keys, and what is sent to the server.
(() => {
  const find = (id) => document.getElementById(id);
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  let selected = null, isBusy = false, hasEnded = false;

  const say = (text) => { find("status").textContent = text; };
  const refuse = (text) => { find("refusal").textContent = text; find("refusal").hidden = !text; };

  // ---- panel

  const named = (feature, number) => feature.name?.trim() || `(no name, feature ${number + 1})`;
  const select = (key, isToShow = false) => {
    selected = key;
    chart.select(key, isToShow);
    update();
  };
  const drawList = () => {
    const focused = document.activeElement?.dataset?.key;
    find("features").replaceChildren(...model.all().map((feature, number) => {
      const item = make("li"), button = make("button"), kind = feature.kind ?? "no kind";
      button.type = "button";
      button.dataset.key = feature.key;
      button.setAttribute("aria-pressed", String(feature.key === selected));
      const text = feature.type ? kind : `${kind}, cannot be drawn`;
      button.append(make("span", "", `swatch ${feature.kind ?? ""}`), make("span", named(feature, number)), make("span", text, "kind"));
      button.addEventListener("click", () => select(feature.key === selected ? null : feature.key, true));
      item.append(button);
      return item;
    }));
    if (focused !== undefined) find("features").querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
  };
  const drawSelected = () => {
    const feature = selected === null ? undefined : model.find(selected);
    find("selected").hidden = !feature;
    if (!feature) return;
    find("selected-title").textContent = `${feature.kind ?? "no kind"}${feature.type ? "" : ": it cannot be drawn"}`;
    if (document.activeElement !== find("name")) find("name").value = feature.name ?? "";
    const isCounted = model.data.counted.includes(feature.kind);
    find("distance-row").hidden = !isCounted;
    if (document.activeElement !== find("distance")) find("distance").value = feature.max_distance_m ?? "";
    if (isCounted) find("distance").placeholder = model.data.distances[feature.kind === "anchorage" ? "anchorage" : feature.type] ?? "";
    const hasCorner = chart.activeCorner() !== null;
    find("insert").disabled = !hasCorner || feature.type === "Point";
    find("drop").disabled = !hasCorner;
    find("delete").textContent = `Delete ${feature.kind ?? "feature"}`;
  };
  const update = () => {
    if (selected !== null && !model.find(selected)) { selected = null; chart.select(null); }
    drawList();
    drawSelected();
    find("undo").disabled = !model.canUndo();
    find("redo").disabled = !model.canRedo();
    find("save").disabled = isBusy || !model.isDirty();
  };
  model.onChange(() => {
    refuse("");
    say(model.isDirty() ? "Changed, not saved" : "As in the file");
    chart.update();
    update();
  });

  Object.assign(chart.handlers, {
    say,
    select,
    activate: drawSelected,
    drawing: (draft) => {
      find("drawing").hidden = find("cross").hidden = !draft;
      find("choose").hidden = Boolean(draft);
      if (!draft) return;
      const { x, y } = chart.centre(), least = model.CORNERS[draft.type], n = draft.points.length;
      find("cross").style.left = `${x}px`;
      find("cross").style.top = `${y}px`;
      const goal = least === 1 ? "one" : `${least} or more`;
      find("drawn").textContent = `${draft.kind}: click its corners on the map. ${n} of ${goal}.`;
      find("finish").disabled = n < least;
    },
    added: (key) => {
      select(key);
      find("name").focus();
      find("name").select();
    },
  });

  find("undo").addEventListener("click", model.undo);
  find("redo").addEventListener("click", model.redo);
  find("draw").addEventListener("click", () => chart.draw(...find("what").value.split(" ")));
  find("corner").addEventListener("click", chart.cornerHere);
  find("finish").addEventListener("click", chart.finish);
  find("cancel").addEventListener("click", chart.cancel);
  find("insert").addEventListener("click", chart.insertCorner);
  find("drop").addEventListener("click", chart.deleteCorner);
  find("delete").addEventListener("click", () => { model.remove(selected); find("undo").focus(); });
  find("name").addEventListener("change", () => model.set(selected, { name: find("name").value.trim() || null }));
  find("distance").addEventListener("change", () => {
    const { value: text, validity } = find("distance");
    if (validity.badInput) return;  // half a number is none, and not the default either
    model.set(selected, { max_distance_m: text === "" ? null : Number(text) });
  });
  find("selected").addEventListener("submit", (event) => { event.preventDefault(); document.activeElement.blur(); });
  find("show-all").addEventListener("click", chart.showAll);
  for (const name of ["names", "reach"])
    find(`show-${name}`).addEventListener("change", (event) => chart.show(name, event.target.checked));

  addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase(), isText = event.target.matches("input:not([type=checkbox])");
    if (event.key === "Escape" && !find("leave").open) {
      if (chart.isDrawing()) chart.cancel();
      else if (selected !== null) select(null);
    }
    if (!(event.ctrlKey || event.metaKey)) return;
    if (key === "s") { event.preventDefault(); document.activeElement?.blur(); save(); }
    else if (!isText && (key === "y" || (key === "z" && event.shiftKey))) { event.preventDefault(); model.redo(); }
    else if (!isText && key === "z") { event.preventDefault(); model.undo(); }
  });
  addEventListener("beforeunload", (event) => { if (model.isDirty() && !hasEnded) event.preventDefault(); });

  // ---- server

  const post = async (name, body) => {
    try {
      const answer = await fetch(name, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      return await answer.json();
    } catch {
      return { error: "The editor does not answer; it may have been ended where it was started. Nothing was saved." };
    }
  };
  const save = async () => {
    if (isBusy || !model.isDirty()) return true;
    isBusy = true;
    update();
    const sent = model.all(), answer = await post("save", model.toSend());
    isBusy = false;
    if (answer.error) {
      update();
      say("Not saved");
      refuse(answer.error);
      const bad = model.all().find((feature, k) => answer.feature === feature.name || answer.feature === k + 1);
      if (bad && answer.feature !== undefined && answer.feature !== null) select(bad.key, true);
      return false;
    }
    model.wasSaved(sent, answer.seen);
    if (!model.isDirty()) say("Saved");
    return true;
  };
  const end = async () => {
    find("leave").close();
    const answer = await post("done", {});
    if (answer.error) { refuse(answer.error); return; }
    hasEnded = true;
    for (const element of document.querySelectorAll("header .tools, main, #status, #refusal")) element.hidden = true;
    find("ended").hidden = false;
  };
  find("save").addEventListener("click", save);
  find("done").addEventListener("click", () => { if (model.isDirty()) find("leave").showModal(); else end(); });
  find("stay").addEventListener("click", () => find("leave").close());
  find("leave-anyway").addEventListener("click", end);
  find("save-and-leave").addEventListener("click", async () => { if (await save()) end(); else find("leave").close(); });

  chart.begin();
  update();
  say("As in the file");
  if (model.data.fault) refuse(`A survey refuses this file: ${model.data.fault}`);
})();
