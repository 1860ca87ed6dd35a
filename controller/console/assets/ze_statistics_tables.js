// What the plots show, as tables: for screen readers, and for who wants the number.
import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, data: Object, labels: Array },
  template: `
    <div v-if="data" class="ze-st-plots" data-testid="statistics-tables">
      <section class="ze-panel ze-st-plot" style="grid-column: 1 / -1"><h2>{{ t['statistics.by_rule'] }}</h2>
        <p v-if="!data.rules.length" class="ze-empty is-slim"><ze-sign name="chart"/>{{ t['statistics.none'] }}</p>
        <div v-else class="ze-st-scroll"><table data-testid="table-rules"><thead><tr><th scope="col">{{ t['statistics.rule'] }}</th><th scope="col" class="is-number">{{ t['statistics.alerts'] }}</th><th scope="col" class="is-number">{{ t['statistics.shadowed'] }}</th><th v-for="label in labels" :key="label" scope="col" class="is-number">{{ label }}</th><th scope="col" class="is-number">{{ t['statistics.judged'] }}</th><th scope="col" class="is-number">{{ t['statistics.false_share'] }}</th><th scope="col">{{ t['statistics.proposal'] }}</th></tr></thead>
          <tbody><tr v-for="row in data.rules" :key="row.rule" :data-testid="'rule-' + row.rule"><th scope="row">{{ row.key }}<br><small class="ze-faint">{{ row.rule }}</small></th><td class="is-number">{{ row.count }}</td><td class="is-number">{{ row.shadowed }}</td><td v-for="(n, i) in row.said" :key="i" class="is-number">{{ n }}</td><td class="is-number">{{ row.judged }}</td><td class="is-number">{{ row.share }}</td><td><span v-if="row.proposed" class="ze-chip is-warning">{{ row.proposal }}</span><template v-else>{{ row.proposal }}</template><small v-if="row.why" class="ze-faint"><br>{{ row.why }}</small></td></tr></tbody></table></div></section>
      <section class="ze-panel ze-st-plot"><h2>{{ t['statistics.availability'] }}</h2>
        <p v-if="!data.tracks.length" class="ze-empty is-slim"><ze-sign name="record_off"/>{{ t['statistics.none'] }}</p>
        <div v-else class="ze-st-scroll"><table data-testid="table-tracks"><thead><tr><th scope="col">{{ t['statistics.track'] }}</th><th scope="col">{{ t['statistics.room'] }}</th><th scope="col" class="is-number">{{ t['statistics.recorded'] }}</th><th scope="col" class="is-number">{{ t['statistics.missing'] }}</th><th scope="col" class="is-number">{{ t['statistics.gaps'] }}</th><th scope="col" class="is-number">{{ t['statistics.share'] }}</th></tr></thead>
          <tbody><tr v-for="row in data.tracks" :key="row.key"><th scope="row">{{ row.key }}</th><td>{{ row.room }}</td><td class="is-number">{{ row.recorded }}</td><td class="is-number">{{ row.missing }}</td><td class="is-number">{{ row.gaps }}</td><td class="is-number">{{ row.share }}</td></tr></tbody></table></div></section>
      <section v-for="name in ['rooms', 'days']" :key="name" class="ze-panel ze-st-plot"><details open><summary><h2 style="display: inline">{{ t[name === 'rooms' ? 'statistics.by_room' : 'statistics.by_day'] }}</h2></summary>
        <p v-if="!data[name].length" class="ze-empty is-slim" :data-testid="'none-' + name"><ze-sign name="check"/>{{ t['statistics.none'] }}</p>
        <div v-else class="ze-st-scroll"><table :data-testid="'table-' + name"><thead><tr><th scope="col">{{ t[name === 'rooms' ? 'statistics.room' : 'statistics.day'] }}</th><th scope="col" class="is-number">{{ t['statistics.count'] }}</th><th v-for="label in labels" :key="label" scope="col" class="is-number">{{ label }}</th></tr></thead>
          <tbody><tr v-for="row in data[name]" :key="row.key"><th scope="row">{{ row.key }}</th><td class="is-number">{{ row.count }}</td><td v-for="(n, i) in row.said" :key="i" class="is-number">{{ n }}</td></tr></tbody></table><p v-if="name === 'days'" class="ze-faint">{{ t['statistics.days_left_out'] }}</p></div></details></section>
    </div>`,
};
