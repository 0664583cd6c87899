// The journal of answers, shared by the pages and the service worker. What a person answers is written down before it
// is sent, and struck out once the server has taken it; whatever is left is sent again, in order. Each answer carries
// its own id, so the server counts it once however often it arrives, and its person, so that nobody else ever sends it.
(() => {
  "use strict";
  const DATABASE = "oo";
  const STORE = "answers";
  const LOCK = "oo-answers";
  const SEND_MS = 10_000;
  const KEPT_MS = 8 * 86_400_000; // the server takes none that is later than seven days
  const LATER = new Set([401, 403, 408, 425, 429]); // nothing is wrong with the answer; also everything from 500 on

  let opening = null;
  const open = () => {
    opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () =>
        request.result.createObjectStore(STORE, { keyPath: "seq", autoIncrement: true }).createIndex("id", "id");
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
    });
    opening.catch(() => (opening = null));
    return opening;
  };

  const within = async (mode, work) => {
    const database = await open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      let found;
      work(transaction.objectStore(STORE), (value) => (found = value));
      transaction.oncomplete = () => resolve(found);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  };

  // Where a browser keeps nothing, the answers of this page are at least sent again while it is open.
  let unkept = [];
  const put = (entry) => within("readwrite", (store) => store.add(entry)).catch(() => void unkept.push(entry));
  const stored = () =>
    within("readonly", (store, found) => {
      store.getAll().onsuccess = ({ target }) => found(target.result);
    });
  const all = async () => [...(await stored().catch(() => [])), ...unkept];
  const drop = async (id) => {
    unkept = unkept.filter((entry) => entry.id !== id);
    await within("readwrite", (store) => {
      store.index("id").getKey(id).onsuccess = ({ target }) => target.result !== undefined && store.delete(target.result);
    }).catch(() => {});
  };
  const clear = async () => {
    unkept = [];
    await within("readwrite", (store) => store.clear()).catch(() => {});
  };

  const post = (answer) =>
    fetch("/api/v1/feedback", {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(answer),
      signal: AbortSignal.timeout(SEND_MS),
    });

  // True once the server has said its last word on it, whether it took the answer or not.
  const isSettled = async ({ answer, at }) => {
    if (Date.now() - at > KEPT_MS) return true;
    try {
      let response = await post(answer);
      if (response.status === 422 && answer.reacted_at) {
        const { reacted_at, ...undated } = answer; // a clock that was put right meanwhile must not cost the answer
        response = await post(undated);
      }
      return response.status < 500 && !LATER.has(response.status);
    } catch {
      return false;
    }
  };

  // One at a time over all tabs and the worker, so that the order holds.
  const alone = (work) => (navigator.locks ? navigator.locks.request(LOCK, work) : work());

  // Send what is left of a person's answers; what others left behind is dropped.
  const flush = (person) =>
    alone(async () => {
      let sent = 0;
      for (const entry of person ? await all() : []) {
        const isMine = entry.person === person;
        if (isMine && !(await isSettled(entry))) return { sent, isEmpty: false };
        await drop(entry.id);
        sent += isMine ? 1 : 0;
      }
      return { sent, isEmpty: true };
    });

  globalThis.ooQueue = { put, all, drop, clear, flush };
})();
