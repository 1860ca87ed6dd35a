// What people read on the pages of an edge node, in both languages.

const EN = {
  live: "Live",
  behind: "Behind",
  connecting: "Connecting …",
  pictures: "Still pictures, about 8 a second",
  silent: "No picture comes from the camera",
  closed: "Not connected",
  delay: "Delay {s} s",
  expired: "This view has expired. Open it again from the console.",
  no_camera: "This node has no camera of that name.",
  too_many: "Too many people watch this camera. Close another view of it; this one tries again.",
  no_codec: "This browser cannot play the camera's video ({codec}); still pictures are shown.",
  to_pictures: "Still pictures",
  attention_on: "Show what is looked at",
  attention_off: "Hide what is looked at",
  to_video: "Video",
  full: "Full screen",
  picture_of: "Picture of {camera}",
  recordings: "Recordings of {camera}",
  live_page: "Live",
  recordings_page: "Recordings",
  zones_page: "Zones",
  from: "From",
  to: "To",
  show: "Show",
  more: "More",
  zone: "Times are of this computer: {zone}",
  count: "Recordings: {n}, gaps: {g}",
  none: "Nothing was recorded in this time.",
  play: "Play the recording from {time}, {duration}",
  growing: "being recorded",
  deleted: "{time}: deleted ({reason})",
  gap: "{from} to {to}, {duration}: no recording. {reason}",
  gap_lasting: "since {from}: no recording. {reason}",
  starts: "Begins {time}, at the key frame before the time asked for.",
  starts_about: "Begins about {time}: this file is still being written.",
  gap_inside: "From {from} to {to} the picture stands still: {reason}",
  missing: "{n} files of this time are not on the node's disk.",
  changed: "Ends {time}: there the camera's picture changed. Ask for the time after it.",
  sound_left_out: "Without sound: browsers do not play {codec}.",
  too_early: "The 20 seconds after the alert are not over. The clip comes in {n} s.",
  take: "Show what there is",
  making: "Cutting the clip …",
  damaged: "The browser could not play this clip.",
  reasons: { expired: "kept as long as it had to be", space: "to keep room", order: "by order" },
  gaps: {
    starting: "Recording was starting.",
    camera_offline: "The camera could not be reached.",
    camera_refused: "The camera refused the user or password.",
    camera_silent: "The camera was connected and sent nothing.",
    stream_damaged: "What the camera sent could not be recorded.",
    pickup_lost: "The microphone was gone.",
    disk_slow: "The disk was too slow.",
    disk_full: "The disk was full.",
    disk_read_only: "The disk took no writing.",
    disk_failed: "The disk failed.",
    space_saved: "Stopped to keep room for sealed recordings.",
    recorder_stopped: "The recorder was stopped.",
    recorder_crashed: "The recorder had crashed.",
    power_lost: "The node had no power.",
    unknown: "The reason is not known.",
  },
  status: {
    401: "This view has expired. Open it again from the console.",
    403: "You may not see recordings.",
    404: "Nothing was recorded in this time.",
    410: "This recording was deleted.",
    422: "This time cannot be shown.",
    503: "The node is busy. Try again in a few seconds.",
    0: "The node does not answer. Try again.",
  },
};

const ZH = {
  live: "实时",
  behind: "有延迟",
  connecting: "正在连接……",
  pictures: "静态画面，每秒约 8 张",
  silent: "摄像机没有画面",
  closed: "未连接",
  delay: "延迟 {s} 秒",
  expired: "此页面已过期，请从控制台重新打开。",
  no_camera: "本节点没有这台摄像机。",
  too_many: "观看此摄像机的人太多，请关闭其他窗口；本页会自动重试。",
  no_codec: "此浏览器无法播放该摄像机的视频（{codec}），改为显示静态画面。",
  to_pictures: "静态画面",
  attention_on: "显示检测关注区域",
  attention_off: "隐藏检测关注区域",
  to_video: "视频",
  full: "全屏",
  picture_of: "{camera} 的画面",
  recordings: "{camera} 的录像",
  live_page: "实时画面",
  recordings_page: "录像",
  zones_page: "区域",
  from: "从",
  to: "到",
  show: "查看",
  more: "更多",
  zone: "时间为本机时区：{zone}",
  count: "录像 {n} 段，缺口 {g} 处",
  none: "这段时间没有录像。",
  play: "播放 {time} 起的录像，时长 {duration}",
  growing: "正在录制",
  deleted: "{time}：已删除（{reason}）",
  gap: "{from} 至 {to}，{duration}：没有录像。{reason}",
  gap_lasting: "自 {from} 起：没有录像。{reason}",
  starts: "起点为 {time}，即所选时间之前的关键帧。",
  starts_about: "起点约为 {time}：该文件仍在写入。",
  gap_inside: "{from} 至 {to} 画面静止：{reason}",
  missing: "这段时间有 {n} 个文件不在本节点硬盘上。",
  changed: "终点为 {time}：此处摄像机画面参数改变，请另选其后的时间。",
  sound_left_out: "无声音：浏览器不能播放 {codec}。",
  too_early: "报警后的 20 秒还没有结束，{n} 秒后可看片段。",
  take: "先看已有部分",
  making: "正在截取片段……",
  damaged: "浏览器无法播放此片段。",
  reasons: { expired: "保存期满", space: "腾出空间", order: "按指令" },
  gaps: {
    starting: "录像正在启动。",
    camera_offline: "无法连接摄像机。",
    camera_refused: "摄像机拒绝了用户名或密码。",
    camera_silent: "摄像机已连接但没有数据。",
    stream_damaged: "摄像机发来的数据无法录制。",
    pickup_lost: "拾音器断开。",
    disk_slow: "硬盘过慢。",
    disk_full: "硬盘已满。",
    disk_read_only: "硬盘只读。",
    disk_failed: "硬盘故障。",
    space_saved: "为封闭录像保留空间而停止。",
    recorder_stopped: "录像程序已停止。",
    recorder_crashed: "录像程序曾异常退出。",
    power_lost: "节点曾断电。",
    unknown: "原因不明。",
  },
  status: {
    401: "此页面已过期，请从控制台重新打开。",
    403: "您无权查看录像。",
    404: "这段时间没有录像。",
    410: "该录像已删除。",
    422: "无法显示这段时间。",
    503: "节点繁忙，请几秒后再试。",
    0: "节点没有应答，请再试。",
  },
};

const asked = new URLSearchParams(location.search).get("lang") ?? navigator.language;
export let language = "en";

/** Speak this language from now on; what is on the page already is for the page to say anew. */
export function speak(wanted) {
  language = wanted.startsWith("zh") ? "zh-CN" : "en";
  document.documentElement.lang = language;
}

/** Add what one page alone says. */
export function addTexts(en, zh) {
  Object.assign(EN, en);
  Object.assign(ZH, zh);
}

speak(asked);

/** The text of a key (`a.b` for one inside), with `{name}` filled in. */
export function say(key, values = {}) {
  const found = key.split(".").reduce((texts, part) => texts?.[part], language === "en" ? EN : ZH) ?? key;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The ticket of this page: taken out of the address bar, so that it stays in no history. */
export function takeTicket() {
  const query = new URLSearchParams(location.search);
  const kept = `ticket ${location.pathname}`;
  const given = query.get("ticket");
  if (given) {
    sessionStorage.setItem(kept, given);
    query.delete("ticket");
    const rest = query.toString();
    history.replaceState(null, "", location.pathname + (rest ? `?${rest}` : ""));
  }
  return given ?? sessionStorage.getItem(kept) ?? "";
}

export const cameraId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
export const base = `/api/v1/cameras/${encodeURIComponent(cameraId)}`;

/** Links to the other pages of this camera that this tab holds a ticket for; `[where, name]`. */
export function linksTo(...pages) {
  const here = `/view/${encodeURIComponent(cameraId)}`;
  return pages
    .filter(([page]) => sessionStorage.getItem(`ticket ${here}${page}`))
    .map(([page, key]) => {
      const link = document.createElement("a");
      link.href = `${here}${page}?lang=${language}`;
      link.textContent = say(key);
      return link;
    });
}

export const byId = (id) => document.getElementById(id);
