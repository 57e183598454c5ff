// What changes at the gateway, heard by server-sent events.

const PAUSE_MS = 10_000; // a province's journal changes every second: nobody reads a list that is new each time

let source = null;
let timer = 0;
let last_ms = 0;
let stands = true;

/** Listen: `heard` is called at most every PAUSE_MS after something changed, `told` when the line falls or stands again. */
export function listen(heard, told) {
  stop();
  source = new EventSource("api/live");
  let is_first = true;
  const line = (value) => () => {
    stands = value;
    told();
  };
  source.addEventListener("open", line(true));
  source.addEventListener("error", line(false));
  source.addEventListener("changed", () => {
    if (!is_first) soon(heard);
    is_first = false;
  });
}

/** Whether the line stands. */
export function isLive() {
  return stands;
}

/** Listen no more. */
export function stop() {
  source?.close();
  source = null;
  clearTimeout(timer);
  timer = 0;
}

function soon(heard) {
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    last_ms = Date.now();
    if (!document.hidden) heard();
  }, Math.max(0, last_ms + PAUSE_MS - Date.now()));
}
