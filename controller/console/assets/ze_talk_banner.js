import { Sign } from "zeroentry-console";

const SIGNS = { call: "bell", entry: "door", talk: "mic", listen: "ear" };

export default {
  components: { ZeSign: Sign },
  props: { t: Object, rows: Array, may_act: Boolean },
  emits: ["open", "answer"],
  methods: { sign: (kind) => SIGNS[kind] },
  template: `
    <section class="ze-outside-strip" :class="{ 'is-empty': !rows || !rows.length }" aria-live="assertive" data-testid="outside-banner">
      <div v-for="row in rows" :key="row.id" class="ze-outside-line" :class="['is-' + row.kind, { 'is-grave': row.grave }]" :data-testid="'outside-' + row.kind + '-' + row.room_id">
        <ze-sign :name="sign(row.kind)"/><b>{{ row.room }}</b><span>{{ row.text }}</span><small>{{ row.at }}</small>
        <button v-if="row.kind === 'call' && may_act" class="ze-button is-small is-main" :data-testid="'banner-answer-' + row.room_id" @click="$emit('answer', row.id)">{{ t['outside.answer'] }}</button>
        <button v-if="row.kind === 'call' || row.kind === 'entry'" class="ze-button is-small" :data-testid="'banner-open-' + row.room_id" @click="$emit('open', row)">{{ t['outside.open'] }}</button>
      </div>
    </section>`,
};
