// Browsers start no worker for a page that was opened from the disk. The theme's search wants one, so there its script
// runs in a hidden frame instead. (The name is the one that Material's offline plugin looks for.)
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "Search";
      this.ready = new Promise((resolve) => frame.addEventListener("load", () => resolve(frame.contentWindow)));
      window.addEventListener("message", ({ source, data }) => {
        if (source === frame.contentWindow) this.dispatchEvent(new MessageEvent("message", { data }));
      });
      frame.srcdoc = `<script>
        postMessage = (data) => parent.postMessage(data, "*");
        importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((resolve) => {
          document.head.append(Object.assign(document.createElement("script"), { src: url, onload: resolve }));
        })), Promise.resolve());
      </script><script src="${new URL(url, location)}"></script>`;
      if (document.body) document.body.append(frame);
      else document.addEventListener("DOMContentLoaded", () => document.body.append(frame));
    }

    async postMessage(data) {
      (await this.ready).dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }));
    }
  };
}
