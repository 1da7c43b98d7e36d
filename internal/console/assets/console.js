// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// What makes pages smoother. Each works without it.
"use strict";

(() => {
	const all = (root, selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
	const two = (n) => String(n).padStart(2, "0");

	// Times: into the reader's zone. The shape of the text stays, so that nothing moves.
	const day = (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
	const minute = (t) => `${day(t)} ${two(t.getHours())}:${two(t.getMinutes())}`;
	const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

	// Relative words: those of the server (words.go), kept true.
	const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
	const units = [[60, 1, ""], [3600, 60, "minute"], [86400, 3600, "hour"], [60 * 86400, 86400, "day"], [730 * 86400, 30 * 86400, "month"], [Infinity, 365 * 86400, "year"]];
	const relative = (t) => {
		const seconds = (t - Date.now()) / 1000;
		const [, size, unit] = units.find(([below]) => Math.abs(seconds) < below);
		return unit ? words.format(Math.trunc(seconds / size), unit) : "just now";
	};
	const showTimes = (root) => {
		for (const e of all(root, "time[datetime]")) {
			const t = new Date(e.dateTime);
			if (isNaN(t)) continue;
			e.textContent = "relative" in e.dataset ? relative(t) : minute(t);
			e.title = exact.format(t);
		}
	};

	// Copying. Where the browser keeps its clipboard from us, what is to be copied is selected.
	const said = document.createElement("p");
	said.className = "only-read";
	said.setAttribute("role", "status");
	const copy = async (button) => {
		const from = document.getElementById(button.dataset.copy);
		const label = button.textContent;
		let done = "Copied";
		try {
			await navigator.clipboard.writeText(from.textContent);
		} catch {
			getSelection().selectAllChildren(from);
			done = document.execCommand("copy") ? "Copied" : "Selected";
		}
		said.textContent = done;
		button.textContent = done;
		button.disabled = true;
		setTimeout(() => {
			button.textContent = label;
			button.disabled = false;
			said.textContent = "";
		}, 1500);
	};

	// A button that takes something away waits for the text to be typed. Capitals do not matter.
	const waitForWord = (field) => {
		const typed = field.value.trim().toLowerCase();
		const { confirm, confirmToo = confirm } = field.dataset;
		for (const b of field.form.querySelectorAll("button:not([type=button])")) b.disabled = ![confirm, confirmToo].some((word) => word.toLowerCase() === typed);
	};
	const showConfirm = (root) => all(root, "input[data-confirm]").forEach(waitForWord);
	document.addEventListener("input", (e) => e.target.matches("input[data-confirm]") && waitForWord(e.target));

	// A token that is pasted into a search says which key it is. Its secret goes nowhere.
	document.addEventListener("input", (e) => {
		const token = e.target.matches("[role=search] input") && /_([A-Za-z0-9]+)_[A-Za-z0-9]{16,}$/.exec(e.target.value.trim());
		if (token) e.target.value = token[1];
	}, true);

	// A form that changes something is sent once: the answer to a second one would replace a
	// secret that is shown once. Whoever comes back to the page, or has stopped it, may send it again.
	const sent = new Set();
	document.addEventListener("submit", (e) => {
		if (e.target.method !== "post" || e.defaultPrevented) return;
		if (sent.has(e.target)) e.preventDefault();
		sent.add(e.target);
		setTimeout(() => sent.delete(e.target), 5000);
	});

	// Charts.
	const dashes = { bad: [6, 3], warn: [2, 3], accent: [10, 3, 2, 3], faint: [3, 6] }; // by tone: not all see colours
	const drawn = new Map(); // elements to their charts
	const label = (t, step) => (step >= 86400 || t.getHours() + t.getMinutes() === 0 ? day(t).slice(5) : minute(t).slice(11));
	const draw = (e) => {
		const { times, series } = JSON.parse(e.dataset.chart);
		const style = getComputedStyle(document.documentElement);
		const colour = (name) => style.getPropertyValue(name).trim();
		const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
		drawn.get(e)?.destroy();
		drawn.set(e, new uPlot({
			width: e.clientWidth,
			height: 220,
			cursor: { drag: { x: false, y: false } },
			scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
			axes: [{ ...axis, values: (_, at, __, ___, step) => at.map((t) => label(new Date(t * 1000), step)) }, { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8] }],
			series: [
				{ label: "Time", value: (_, t) => (t === null ? "all" : minute(new Date(t * 1000))) },
				...series.map((s) => ({
					label: s.label, stroke: colour(`--${s.tone}`), width: 2, spanGaps: false,
					dash: dashes[s.tone], value: (_, n) => (n ?? s.values.reduce((sum, one) => sum + one, 0)).toLocaleString(), // where nothing is pointed at, all of it
				})),
			],
		}, [times, ...series.map((s) => s.values)], e));
	};
	const showCharts = (root) => window.uPlot && all(root, "[data-chart]").forEach(draw);
	const redraw = () => [...drawn.keys()].forEach((e) => (e.isConnected ? draw(e) : drawn.delete(e)));

	const dress = (root) => {
		showTimes(root);
		showConfirm(root);
		showCharts(root);
	};
	document.addEventListener("DOMContentLoaded", () => {
		document.body.append(said);
		dress(document.body);
		setInterval(showTimes, 30000, document.body);
		let waiting;
		addEventListener("resize", () => {
			clearTimeout(waiting);
			waiting = setTimeout(redraw, 150);
		});
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
	});
	document.addEventListener("htmx:load", (e) => e.target !== document.body && dress(e.target));
	document.addEventListener("click", (e) => {
		const button = e.target.closest?.("[data-copy]");
		if (button) copy(button);
	});
	addEventListener("pageshow", () => {
		sent.clear();
		showConfirm(document.body);
	});
})();
