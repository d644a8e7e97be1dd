"use strict";
// The pages work without this. It adds two things: buttons that copy what is to be typed,
// without prompts and output, and a search in the headings.

for (const block of document.querySelectorAll("[data-copy]")) {
	const button = document.createElement("button");
	button.className = "copy";
	button.type = "button";
	button.textContent = "Copy";
	button.onclick = async () => {
		button.textContent = await copy(block.dataset.copy) ? "Copied" : "Not allowed";
		setTimeout(() => { button.textContent = "Copy"; }, 1500);
	};
	block.append(button);
}

async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		// Not there, or not allowed: the old way.
		const area = document.createElement("textarea");
		area.value = text;
		document.body.append(area);
		area.select();
		const done = document.execCommand("copy");
		area.remove();
		return done;
	}
}

// The contents are open where there is room for them.
const contents = document.querySelector("nav.contents details");
const wide = matchMedia("(min-width: 50.01rem)");
function unfold() { contents.open = wide.matches; }
wide.addEventListener("change", unfold);
unfold();

const search = document.querySelector(".search");
const input = search.querySelector("input");
const found = document.querySelector("#found");
search.hidden = false;

input.oninput = () => {
	const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
	const hits = words.length === 0 ? [] : entries.filter(e => {
		const text = (e.page + " " + e.text).toLowerCase();
		return words.every(w => text.includes(w));
	});
	// What has the words in the heading itself comes first.
	const inside = e => words.every(w => e.text.toLowerCase().includes(w));
	hits.sort((a, b) => inside(b) - inside(a));
	found.replaceChildren(...hits.slice(0, 12).map(e => {
		const link = document.createElement("a");
		link.href = document.body.dataset.root + "/" + e.path;
		link.textContent = e.text;
		if (e.text !== e.page) {
			const where = document.createElement("small");
			where.textContent = e.page;
			link.append(where);
		}
		link.onclick = close;
		const item = document.createElement("li");
		item.append(link);
		return item;
	}));
	if (words.length > 0 && hits.length === 0) {
		const item = document.createElement("li");
		item.textContent = "No heading has this.";
		found.append(item);
	}
	show(words.length > 0);
};

function show(on) {
	found.hidden = !on;
	input.setAttribute("aria-expanded", on);
}

function close() {
	input.value = "";
	show(false);
}

search.onkeydown = event => {
	const links = [input, ...found.querySelectorAll("a")];
	const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
	if (step) {
		event.preventDefault();
		const at = links.indexOf(document.activeElement);
		links[(at + step + links.length) % links.length].focus();
	} else if (event.key === "Escape") {
		close();
		input.focus();
	} else if (event.key === "Enter" && document.activeElement === input && links.length > 1) {
		links[1].click();
	}
};

document.addEventListener("keydown", event => {
	if (event.key === "/" && !event.ctrlKey && !event.metaKey && document.activeElement === document.body) {
		event.preventDefault();
		input.focus();
	}
});
document.addEventListener("click", event => {
	if (!search.contains(event.target)) show(false);
});
