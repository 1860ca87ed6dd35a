// Brings a microphone to 16-bit mono at 16 kHz, in frames of 100 ms. Runs in the audio thread.

const RATE = 16000;
const FRAME = RATE / 10;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = sampleRate / RATE;
    this.sum = 0;
    this.count = 0;
    this.position = 0;
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
  }

  process(inputs) {
    const channel = inputs[0] && inputs[0][0];
    if (!channel) return true;
    for (const sample of channel) {
      // The mean over each step of the source: a plain filter, enough for speech.
      this.sum += sample;
      this.count += 1;
      this.position += 1;
      if (this.position < this.step) continue;
      this.position -= this.step;
      const mean = Math.max(-1, Math.min(1, this.sum / this.count));
      this.sum = this.count = 0;
      this.frame[this.filled++] = Math.round(mean * 32767);
      if (this.filled === FRAME) {
        this.port.postMessage(this.frame.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("ze-microphone", Microphone);
