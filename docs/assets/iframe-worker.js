// Search in pages that are opened from a disk: browsers start no worker there, so a hidden frame stands in for one.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this._inside = frame.contentWindow;
      // What the script says goes to whom a worker's messages go.
      this._inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = this._inside.document.createElement("script");
      script.src = url;
      this._ready = new Promise((resolve) => script.addEventListener("load", resolve));
      this._inside.document.body.append(script);
    }

    postMessage(data) {
      this._ready.then(() => this._inside.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this._inside.frameElement.remove();
    }
  };
}
