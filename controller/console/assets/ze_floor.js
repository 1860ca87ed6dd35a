import { Sign } from "zeroentry-console";

const ROBOT_STEP_MS = 320;

export default {
  components: { ZeSign: Sign },
  props: { t: Object, plan: Object, robots: Array },
  data: () => ({ live: null, turned: {} }),
  created() {
    this.drive(this.robots || []);
  },
  watch: {
    robots() {
      this.drive(this.robots);
    },
  },
  methods: {
    // Called by the server some times a second; the way between two positions is drawn by the browser.
    drive(robots) {
      for (const robot of robots) {
        const before = this.turned[robot.id] ?? robot.heading;
        const by = ((robot.heading - before + 540) % 360) - 180;
        this.turned[robot.id] = before + by;
      }
      this.live = robots;
    },
    place(robot) {
      return { transform: `translate(${robot.x}px, ${robot.y}px)`, transition: `transform ${ROBOT_STEP_MS}ms linear` };
    },
    turn(robot) {
      return { transform: `rotate(${this.turned[robot.id]}deg)`, transition: `transform ${ROBOT_STEP_MS}ms linear` };
    },
    zone_sign: (state) => ({ clear: "check", occupied: "person", unseen: "eye_off" })[state] || "unlock",
    robot_sign: (state) => ({ held: "pause", paused: "pause", error: "warning", offline: "link_off", driving: "robot" })[state] || "robot",
  },
  template: `
    <section class="ze-panel ze-floor" :aria-label="t['map.heading']" data-testid="floor">
      <header class="ze-panel-head"><h2>{{ t['map.heading'] }}</h2><span class="ze-stale-mark">{{ t['state.stale'] }}</span>
        <ul class="ze-legend"><li><i class="is-base"></i>{{ t['map.base'] }}</li><li><i class="is-horizon"></i>{{ t['map.horizon'] }}</li>
          <li class="is-clear"><ze-sign name="check"/>{{ t['map.clear'] }}</li><li class="is-occupied"><ze-sign name="person"/>{{ t['map.occupied'] }}</li><li class="is-unseen"><ze-sign name="eye_off"/>{{ t['map.unseen'] }}</li></ul></header>
      <p v-if="!plan || !plan.width" class="ze-empty"><ze-sign name="robot"/>{{ t['map.empty'] }}</p>
      <div v-else class="ze-floor-body"><div class="ze-floor-scroll">
      <svg class="ze-map" :viewBox="'0 0 ' + plan.width + ' ' + plan.height" role="img" :aria-label="t['map.heading']">
        <defs>
          <pattern id="ze-hatch-occupied" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="9" height="9" class="hatch-ground-occupied"/><rect width="4" height="9" class="hatch-occupied"/></pattern>
          <pattern id="ze-hatch-unseen" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect width="7" height="7" class="hatch-ground-unseen"/><rect width="1.5" height="7" class="hatch-unseen"/></pattern>
        </defs>
        <g v-for="zone in plan.zones" :key="zone.id" class="ze-zone" :class="'is-' + zone.state" :data-testid="'zone-' + zone.id" :data-state="zone.state">
          <line v-for="(way, n) in zone.ways" :key="'w' + n" v-bind="way"/>
          <circle v-for="(spot, n) in zone.spots" :key="'s' + n" :cx="spot.x" :cy="spot.y" r="27"/>
        </g>
        <line v-for="(way, n) in plan.ways" :key="n" class="ze-way" v-bind="way"/>
        <g v-for="place in plan.places" :key="place.kind + place.name" class="ze-place" :transform="'translate(' + place.x + ' ' + place.y + ')'">
          <rect x="-9" y="-9" width="18" height="18" rx="4"/><path v-if="place.kind === 'door'" d="M-3.5 5v-10h7v10"/><path v-else d="M-4 -5v3.5a2 2 0 0 0 4 0V-5M-2 -5V5.5M4 -5.5V5.5"/></g>
        <g v-for="zone in plan.zones" :key="'l' + zone.id" class="ze-zone-label" :class="'is-' + zone.state" :transform="'translate(' + zone.x + ' ' + zone.y + ')'">
          <text text-anchor="middle"><tspan class="name">{{ zone.name }}</tspan><tspan class="state" dx="6">{{ zone.label }}</tspan></text></g>
        <g v-for="robot in live" :key="'r' + robot.id" class="ze-route"><polyline v-if="robot.horizon" class="is-horizon" :points="robot.horizon"/><polyline v-if="robot.base" class="is-base" :points="robot.base"/></g>
        <g v-for="robot in live.filter((r) => r.x !== null)" :key="robot.id" class="ze-robot" :class="'is-' + robot.state" :style="place(robot)" :data-testid="'robot-' + robot.id" :data-state="robot.state">
          <circle class="halo" r="19"/>
          <g :style="turn(robot)"><rect x="-13" y="-11" width="26" height="22" rx="6"/><path d="M4 -5.5 L11 0 L4 5.5z"/></g>
          <g v-if="robot.held" class="ze-held" transform="translate(13 -15)"><circle r="8"/><path d="M-2.5 -3.5v7M2.5 -3.5v7"/></g>
        </g>
      </svg></div>
      <ul class="ze-robots"><li v-for="robot in live" :key="robot.id" :class="'is-' + robot.state" :data-testid="'robot-line-' + robot.id">
        <ze-sign :name="robot_sign(robot.state)"/><b>{{ robot.name }}</b><span>{{ robot.state_label }}<template v-if="robot.held && robot.held_for"> · {{ t['map.held_for'] }} {{ robot.held_for }}</template></span>
        <span v-if="robot.battery !== null" class="ze-battery" :class="{ 'is-low': robot.battery < 20 }" :title="t['robot.battery']"><i><em :style="{ width: robot.battery + '%' }"></em></i>{{ robot.battery }}%</span>
        <span v-for="error in robot.errors" :key="error" class="ze-robot-error">{{ error }}</span></li></ul></div>
    </section>`,
};
