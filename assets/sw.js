// The service worker: the tip page's shell at once, also offline, and answers that the page could not send.
// Data is never kept here; the page's own copy of its open tip is, in tip.js.
"use strict";
importScripts("/queue.js");

const SHELL = "oo-shell-1";
const PAGE = "/tip";
const REVALIDATE_MS = 10_000;
const PARTS = /"(\/(?:assets\/)?[\w.~-]+\.(?:js|css|svg|png|webmanifest)(?:\?v=\w+)?)"/g;
const OFFLINE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Offline · oO</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="description" content="No line to oO.">
<link rel="icon" href="/favicon.svg">
<link rel="stylesheet" href="/oo.css"><link rel="stylesheet" href="/tip.css">
<link rel="stylesheet" href="/adapt.css"></head><body><main class="page lost"><div class="stage"><div class="card">
<h1 class="tip-text silence">You are offline.</h1><a class="button" href="/tip">Show my tip</a></div></div></main></body></html>`;

const isNamedByContent = (url) => url.pathname.startsWith("/assets/") || url.searchParams.has("v");
const partsOf = (text) => new Set([...(text + OFFLINE).matchAll(PARTS)].map(([, path]) => path));

// Read the page anew and keep it with all it is made of; tell whether it changed, or is no longer for this browser.
const renew = async () => {
  const signal = AbortSignal.timeout(REVALIDATE_MS);
  const answer = await fetch(PAGE, { redirect: "manual", cache: "no-cache", credentials: "same-origin", signal });
  const cache = await caches.open(SHELL);
  if (answer.type === "opaqueredirect") {
    await cache.delete(PAGE);
    return "signed-out";
  }
  if (!answer.ok) return "same";
  const text = await answer.clone().text();
  const former = await (await cache.match(PAGE, { ignoreVary: true }))?.text();
  if (text === former) return "same";
  const parts = partsOf(text);
  await Promise.all([...parts].map((part) => keep(cache, part)));
  await cache.put(PAGE, answer); // last: until all its parts are here, the former page serves
  for (const { url } of await cache.keys()) {
    const { pathname, search } = new URL(url);
    if (pathname !== PAGE && !parts.has(pathname + search)) await cache.delete(url);
  }
  return former === undefined ? "same" : "renewed";
};

const keep = async (cache, part) => {
  const isThere = isNamedByContent(new URL(part, location.origin)) && (await cache.match(part, { ignoreVary: true }));
  if (!isThere) await cache.add(new Request(part, { cache: "no-cache" }));
};

const tell = async (news) => {
  for (const client of await clients.matchAll({ type: "window" })) client.postMessage(news);
};

const page = async (event) => {
  const shell = await (await caches.open(SHELL)).match(PAGE, { ignoreVary: true });
  const renewing = renew();
  event.waitUntil(renewing.then((news) => (news === "same" ? undefined : tell(news))).catch(() => {}));
  return shell ?? fetch(event.request).catch(offline);
};

const part = async (request) => {
  const cache = await caches.open(SHELL);
  const known = await cache.match(request, { ignoreVary: true }); // we keep what is unpacked, whoever asks for it
  if (known && isNamedByContent(new URL(request.url))) return known;
  return fetch(request).catch((error) => known ?? Promise.reject(error));
};

const offline = () => new Response(OFFLINE, { headers: { "Content-Type": "text/html; charset=utf-8" } });

// Whose browser this is by now; where a worker cannot read that, the server refuses what is another's.
const person = async () => {
  const name = `${location.protocol === "https:" ? "__Host-" : ""}oo_person`;
  if (globalThis.cookieStore) return (await cookieStore.get(name))?.value;
  return (await ooQueue.all())[0]?.person;
};

const flush = async () => {
  const mine = await person();
  if (mine && !(await ooQueue.flush(mine)).isEmpty) throw new Error("not all sent"); // the browser tries again
};

addEventListener("install", (event) => event.waitUntil(renew().catch(() => {}).then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("sync", (event) => event.tag === "answers" && event.waitUntil(flush()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const path = url.pathname.replace(/(.)\/$/, "$1");
  if (request.mode === "navigate") {
    if (path === PAGE) event.respondWith(page(event));
    else if (path === "/connect") event.respondWith(fetch(request).catch(offline));
    return;
  }
  if (url.pathname.startsWith("/assets/") || /\.(js|css|svg|png|webmanifest)$/.test(url.pathname)) event.respondWith(part(request));
});
