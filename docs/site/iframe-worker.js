// Search in the site from a folder, without a server: a browser runs no worker from file:, so a hidden frame takes its place.
// What a page asks of a worker and a worker of its page, and nothing else: postMessage both ways, importScripts.
"use strict";

class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    document.body.appendChild(this.frame);
    const inside = this.frame.contentWindow;
    inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
    inside.importScripts = (...urls) =>
      urls.reduce((before, one) => before.then(() => loadInto(inside, one)), Promise.resolve());
    this.ready = loadInto(inside, url);
  }

  postMessage(data) {
    const inside = this.frame.contentWindow;
    this.ready.then(() => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
  }
}

function loadInto(inside, url) {
  return new Promise((resolve, reject) => {
    const script = inside.document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = reject;
    inside.document.body.appendChild(script);
  });
}

if (location.protocol === "file:") {
  window.Worker = window.IFrameWorker = FrameWorker; // by the second name the search knows that it is in a frame
}
