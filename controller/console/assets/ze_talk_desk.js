import { Sign } from "zeroentry-console";

const RATE = 16000;
const AHEAD_S = 0.25; // what is played waits so long: a network that hiccups is not heard
const LATE_S = 1.5; // further behind is no live sound: skip to now
const SILENT_MS = 2500;

// The microphone of this page: asked for at the first talk, let go after each.
class Mouth {
  constructor(say) {
    this.say = say;
    this.socket = null;
    this.ready = false;
    this.over = false;
  }

  async take() {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
    this.audio = new AudioContext();
    await this.audio.audioWorklet.addModule("/assets/ze_talk_worklet.js");
    const source = this.audio.createMediaStreamSource(this.stream);
    this.node = new AudioWorkletNode(this.audio, "ze-microphone", { numberOfOutputs: 1 });
    this.node.port.onmessage = ({ data }) => {
      if (this.ready && this.socket.readyState === WebSocket.OPEN) this.socket.send(data.buffer);
    };
    const mute = this.audio.createGain();
    mute.gain.value = 0; // the graph must lead somewhere; nobody hears himself
    source.connect(this.node).connect(mute).connect(this.audio.destination);
  }

  connect(url) {
    this.socket = new WebSocket(url);
    this.socket.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      if (told.kind === "ready") this.ready = true;
      if (told.kind === "ended" || told.kind === "failed") this.over = true;
      this.say(told);
    };
    this.socket.onclose = () => {
      if (!this.over) this.say({ kind: "failed", why: "node" });
      this.letGo();
    };
  }

  end() {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ kind: "end" }));
    else this.letGo();
  }

  letGo() {
    this.ready = false;
    if (this.socket && this.socket.readyState < WebSocket.CLOSING) this.socket.close();
    if (this.stream) this.stream.getTracks().forEach((track) => track.stop());
    if (this.audio && this.audio.state !== "closed") this.audio.close();
    this.stream = this.audio = null;
  }
}

// The room's sound at this page, a little late and in order.
class EarPhones {
  constructor(say) {
    this.say = say;
    this.audio = new AudioContext();
    this.next = 0;
    this.heard = 0;
  }

  connect(url, ticket) {
    this.socket = new WebSocket(url + "?ticket=" + encodeURIComponent(ticket));
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.say(JSON.parse(data));
      else this.play(new Int16Array(data));
    };
    this.socket.onclose = () => {
      this.say({ kind: "closed" });
      this.letGo();
    };
  }

  renew(ticket) {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ ticket }));
  }

  play(samples) {
    const audio = this.audio;
    if (!audio || audio.state === "closed") return;
    const buffer = audio.createBuffer(1, samples.length, RATE);
    const channel = buffer.getChannelData(0);
    let power = 0;
    for (let n = 0; n < samples.length; n += 1) {
      channel[n] = samples[n] / 32768;
      power += channel[n] * channel[n];
    }
    this.heard = performance.now();
    this.say({ kind: "level", dbfs: 10 * Math.log10(power / samples.length + 1e-12) });
    const now = audio.currentTime;
    if (this.next < now || this.next > now + LATE_S) this.next = now + AHEAD_S;
    const source = audio.createBufferSource();
    source.buffer = buffer;
    source.connect(audio.destination);
    source.start(this.next);
    this.next += buffer.duration;
  }

  letGo() {
    if (this.socket && this.socket.readyState < WebSocket.CLOSING) this.socket.close();
    if (this.audio && this.audio.state !== "closed") this.audio.close();
  }
}

export default {
  components: { ZeSign: Sign },
  props: {
    t: Object, room: String, calls: Array, texts: Array, entries: Array, listeners: Array, talker: String, user: String,
    templates: Array, kinds: Array, may_act: Boolean, may_approve: Boolean, can_talk: Boolean, can_hear: Boolean, talk: Object, heard: Object,
  },
  emits: ["step", "talk", "talk_over", "text", "entry", "listen", "unlisten"],
  data: () => ({
    talking: "idle", held: false, level: -120, sent: 0, why: "", said: 0,
    template: "", words: "", sending: false,
    kind: "equipment", reason: "", minutes: 10, persons: 1, asking: false,
    hearing: "idle", hear_level: -120, hear_why: "", quiet: false, source: "",
  }),
  computed: {
    secure: () => window.isSecureContext && !!navigator.mediaDevices,
    taken() {
      return !!this.talker && this.talker !== this.user;
    },
    inside() {
      return (this.entries || []).some((one) => !one.asked);
    },
    at_once() {
      const found = (this.kinds || []).find((one) => one.id === this.kind);
      return !!found && found.at_once;
    },
  },
  watch: {
    talk(given) {
      if (given && this.talking === "opening" && this.mouth) this.mouth.connect(given.url);
    },
    heard: {
      handler(now, before) {
        if (now && (!before || before.id !== now.id)) this.hearNow(now);
        else if (now && this.phones) this.phones.renew(now.ticket);
        else if (!now && before) this.hearNoMore();
      },
    },
    room() {
      this.release();
      this.why = this.hear_why = "";
      this.said = 0;
    },
  },
  beforeUnmount() {
    if (this.mouth) this.mouth.letGo();
    if (this.phones) this.phones.letGo();
    clearInterval(this.watching);
  },
  methods: {
    percent: (dbfs) => Math.round(Math.max(0, Math.min(1, (dbfs + 60) / 60)) * 100),
    async press(event) {
      if (this.talking !== "idle" || !this.secure) return;
      if (event && event.pointerId !== undefined && event.target.setPointerCapture) event.target.setPointerCapture(event.pointerId);
      this.held = true;
      this.talking = "opening";
      this.why = "";
      this.said = this.sent = 0;
      this.mouth = new Mouth((told) => this.told(told));
      try {
        await this.mouth.take();
      } catch (error) {
        this.fail("microphone");
        return;
      }
      if (!this.held) {
        this.fail("");
        return;
      }
      this.$emit("talk");
    },
    release() {
      this.held = false;
      if (this.talking === "live") this.mouth.end();
    },
    talkRefused() {
      this.fail("");
    },
    fail(why) {
      this.why = why;
      this.talking = "idle";
      this.held = false;
      if (this.mouth) this.mouth.letGo();
      this.$emit("talk_over");
    },
    told(told) {
      if (told.kind === "ready") {
        this.talking = "live";
        if (!this.held) this.mouth.end();
      } else if (told.kind === "level") {
        this.level = told.dbfs;
        this.sent = told.sent_ms;
      } else if (told.kind === "ended") {
        this.said = told.sent_ms;
        this.fail(told.why === "released" ? "" : told.why);
      } else if (told.kind === "failed") this.fail(told.why);
    },
    send() {
      if (this.sending || (!this.template && !this.words.trim())) return;
      this.sending = true;
      setTimeout(() => (this.sending = false), 4000);
      this.$emit("text", this.template ? { template: this.template } : { text: this.words.trim() });
    },
    textSent() {
      this.sending = false;
      this.words = this.template = "";
    },
    ask() {
      if (this.reason.trim().length < 4 || this.asking) return;
      this.asking = true;
      setTimeout(() => (this.asking = false), 4000);
      this.$emit("entry", { kind: this.kind, reason: this.reason.trim(), minutes: Number(this.minutes) || 10, persons: Number(this.persons) || 1 });
    },
    entryAsked() {
      this.asking = false;
      this.reason = "";
    },
    hearNow(given) {
      this.hear_why = "";
      this.hearing = "waiting";
      this.phones = new EarPhones((told) => {
        if (told.kind === "level") {
          this.hearing = "live";
          this.hear_level = told.dbfs;
        } else if (told.kind === "ended") this.hear_why = told.why;
        else if (told.kind === "closed" && this.hearing !== "idle") {
          this.hearing = "idle";
          if (!this.hear_why) this.hear_why = "node";
          this.$emit("unlisten");
        }
      });
      this.phones.connect(given.url, given.ticket);
      clearInterval(this.watching);
      this.watching = setInterval(() => (this.quiet = this.phones && performance.now() - this.phones.heard > SILENT_MS), 500);
    },
    hearNoMore() {
      this.hearing = "idle";
      clearInterval(this.watching);
      if (this.phones) this.phones.letGo();
    },
    voice(why) {
      return this.t["voice." + why] || why;
    },
  },
  template: `
    <section class="ze-outside" :aria-label="t['outside.title']" data-testid="outside-desk">
      <p v-if="!room" class="ze-empty is-slim"><ze-sign name="mic"/>{{ t['outside.none'] }}</p>
      <template v-else>
        <div class="ze-outside-part" data-testid="outside-calls">
          <h3><ze-sign name="bell"/>{{ t['outside.calls'] }}</h3>
          <p v-if="!calls.length" class="ze-faint">{{ t['outside.no_calls'] }}</p>
          <div v-for="call in calls" :key="call.id" class="ze-outside-row" :class="{ 'is-waiting': call.waits, 'is-grave': call.grave }" :data-testid="'call-' + call.id">
            <div><b>{{ call.reason }}</b><small>{{ call.at }} · <template v-if="call.waits">{{ t[call.overdue ? 'outside.overdue' : 'outside.waiting'] }}<template v-if="call.repeats"> ({{ call.repeats }} {{ t['outside.repeats'] }})</template></template><template v-else>{{ t['outside.answered_by'] }} {{ call.answered_by }}</template></small></div>
            <span v-if="may_act"><button v-if="call.waits" class="ze-button is-small is-main" data-testid="answer-call" @click="$emit('step', { verb: 'answer', id: call.id })">{{ t['outside.answer'] }}</button>
            <button class="ze-button is-small" data-testid="settle-call" @click="$emit('step', { verb: 'settle', id: call.id })">{{ t['outside.settle'] }}</button></span>
          </div>
        </div>
        <div class="ze-outside-part" v-if="may_act" data-testid="outside-talk">
          <h3><ze-sign name="mic"/>{{ t['outside.talk'] }}</h3>
          <p v-if="!can_talk" class="ze-faint" data-testid="talk-none">{{ t['outside.talk_none'] }}</p>
          <template v-else>
            <p v-if="!secure" class="ze-outside-why" role="alert"><ze-sign name="warning"/>{{ t['outside.insecure'] }}</p>
            <button class="ze-button is-large ze-talk" :class="'is-' + talking" :disabled="!secure || taken" :aria-pressed="talking !== 'idle'" data-testid="talk-button" :data-state="talking"
              @pointerdown.prevent="press" @pointerup="release" @pointercancel="release" @keydown.space.prevent="press" @keyup.space.prevent="release" @keydown.enter.prevent="press" @keyup.enter.prevent="release" @contextmenu.prevent>
              <ze-sign name="mic"/>{{ t[talking === 'live' ? 'outside.talk_now' : talking === 'opening' ? 'outside.talk_opening' : 'outside.talk_hold'] }}</button>
            <div class="ze-meter" role="meter" :aria-label="t['outside.level']" aria-valuemin="-60" aria-valuemax="0" :aria-valuenow="Math.round(level)" data-testid="talk-level" :data-sent="sent"><i :style="{ width: (talking === 'live' ? percent(level) : 0) + '%' }"></i></div>
            <p v-if="taken" class="ze-faint">{{ talker }} {{ t['outside.talk_busy'] }}</p>
            <p v-if="why" class="ze-outside-why" role="alert" data-testid="talk-failed"><ze-sign name="warning"/>{{ voice(why) }}</p>
            <p v-else-if="said" class="ze-outside-done" role="status" data-testid="talk-said"><ze-sign name="check"/>{{ (said / 1000).toFixed(1) }} s {{ t['outside.talk_sent'] }}</p>
            <p v-else class="ze-faint">{{ t['outside.talk_recorded'] }}</p>
          </template>
        </div>
        <div class="ze-outside-part" v-if="may_act" data-testid="outside-text">
          <h3><ze-sign name="tablet"/>{{ t['outside.text'] }}</h3>
          <form @submit.prevent="send">
            <label class="ze-field">{{ t['outside.text_template'] }}<select v-model="template" data-testid="text-template"><option value="">{{ t['outside.text_own'] }}</option><option v-for="one in templates" :key="one.id" :value="one.id">{{ one.text }}</option></select></label>
            <label v-if="!template" class="ze-field">{{ t['outside.text_words'] }}<input v-model="words" maxlength="200" data-testid="text-words"/></label>
            <button class="ze-button is-main" :disabled="sending || (!template && !words.trim())" data-testid="text-send">{{ t['outside.text_send'] }}</button>
          </form>
          <p v-if="!texts.length" class="ze-faint">{{ t['outside.no_texts'] }}</p>
          <ul class="ze-outside-texts"><li v-for="text in texts" :key="text.id" :data-testid="'text-' + text.id" :data-state="text.state"><span>{{ text.text }}</span>
            <small>{{ text.at }} · {{ text.by }} · <b :class="'is-' + text.state"><ze-sign :name="text.state === 'read' ? 'check' : 'clock'"/>{{ t['outside.text_' + text.state] }} {{ text.read_at }}</b></small></li></ul>
        </div>
        <div class="ze-outside-part" data-testid="outside-listen">
          <h3><ze-sign name="ear"/>{{ t['outside.listen'] }}</h3>
          <p v-if="listeners.length" class="ze-outside-who" data-testid="listeners"><ze-sign name="ear"/>{{ t['outside.listen_who'] }} <b>{{ listeners.join(", ") }}</b></p>
          <p v-if="!can_hear" class="ze-faint">{{ t['outside.listen_none'] }}</p>
          <template v-else>
            <label v-if="heard && heard.sources.length > 1" class="ze-field">{{ t['outside.source'] }}<select :value="heard.source" data-testid="listen-source" @change="$emit('listen', $event.target.value)"><option v-for="one in heard.sources" :key="one" :value="one">{{ one }}</option></select></label>
            <button v-if="!heard" class="ze-button" data-testid="listen-start" @click="$emit('listen', '')"><ze-sign name="sound"/>{{ t['outside.listen_start'] }}</button>
            <button v-else class="ze-button is-main" data-testid="listen-stop" :data-state="hearing" @click="$emit('unlisten')"><ze-sign name="sound_off"/>{{ t['outside.listen_stop'] }}</button>
            <div v-if="heard" class="ze-meter" role="meter" :aria-label="t['outside.level']" aria-valuemin="-60" aria-valuemax="0" :aria-valuenow="Math.round(hear_level)"><i :style="{ width: percent(hear_level) + '%' }"></i></div>
            <p v-if="heard" role="status" class="ze-faint">{{ t[quiet || hearing === 'waiting' ? 'outside.listen_wait' : 'outside.listen_live'] }}</p>
            <p v-if="hear_why && !heard" class="ze-outside-why" role="alert" data-testid="listen-over"><ze-sign name="notice"/>{{ t['outside.listen_over'] }}: {{ voice(hear_why) }}</p>
            <p v-else class="ze-faint">{{ t['outside.listen_audited'] }}</p>
          </template>
        </div>
        <div class="ze-outside-part" data-testid="outside-entry">
          <h3><ze-sign name="door"/>{{ t['outside.entry'] }}</h3>
          <div v-for="entry in entries" :key="entry.id" class="ze-outside-row is-entry" :class="'is-' + entry.state" :data-testid="'entry-' + entry.id" :data-state="entry.state">
            <div><b>{{ entry.kind }}</b> <span class="ze-chip" :class="{ 'is-warning': entry.state !== 'overdue', 'is-alarm': entry.state === 'overdue' }">{{ t['outside.entry_' + entry.state] }}</span>
              <p>{{ entry.reason }}</p>
              <small>{{ t['outside.entry_by'] }} {{ entry.asked_by }} · {{ t['outside.entry_approved_by'] }} {{ entry.approved_by.join(", ") || "–" }} ({{ entry.approvals }}) · {{ entry.minutes }} {{ t['outside.entry_min'] }} · <span class="ze-nowrap"><ze-sign name="person"/>{{ entry.persons }}</span><template v-if="entry.until"> · {{ t['outside.entry_until'] }} {{ entry.until }}</template><template v-if="entry.alerts"> · {{ t['outside.entry_alerts'] }} {{ entry.alerts }}</template></small></div>
            <span><button v-if="may_approve && entry.mine_to_judge" class="ze-button is-small is-main" data-testid="entry-approve" @click="$emit('step', { verb: 'approve', id: entry.id })">{{ t['outside.entry_approve'] }}</button>
              <button v-if="may_approve && entry.asked" class="ze-button is-small" data-testid="entry-refuse" @click="$emit('step', { verb: 'refuse', id: entry.id })">{{ t['outside.entry_refuse'] }}</button>
              <button v-if="may_act" class="ze-button is-small" data-testid="entry-end" @click="$emit('step', { verb: 'end_entry', id: entry.id })">{{ t[entry.asked ? 'outside.entry_withdraw' : 'outside.entry_end'] }}</button></span>
          </div>
          <form v-if="may_act && !inside" @submit.prevent="ask">
            <label class="ze-field">{{ t['outside.entry_kind'] }}<select v-model="kind" data-testid="entry-kind"><option v-for="one in kinds" :key="one.id" :value="one.id">{{ one.text }}</option></select></label>
            <label class="ze-field">{{ t['outside.entry_reason'] }}<input v-model="reason" maxlength="200" required minlength="4" data-testid="entry-reason"/></label>
            <div class="ze-outside-two"><label class="ze-field">{{ t['outside.entry_minutes'] }}<input v-model="minutes" type="number" min="1" max="60" data-testid="entry-minutes"/></label>
            <label class="ze-field">{{ t['outside.entry_persons'] }}<input v-model="persons" type="number" min="1" max="10" data-testid="entry-persons"/></label></div>
            <button class="ze-button" :class="{ 'is-main': at_once }" :disabled="asking || reason.trim().length < 4" data-testid="entry-ask"><ze-sign name="door"/>{{ t['outside.entry_ask'] }}<template v-if="at_once"> · {{ t['outside.entry_now'] }}</template></button>
          </form>
          <p class="ze-faint">{{ t['outside.entry_rule'] }}</p>
        </div>
      </template>
    </section>`,
};
