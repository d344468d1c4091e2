let second = -1;
let text = "";

/** The Date field's value now (RFC 9110 5.6.7), made once a second. */
export function httpDate(): string {
  const nowMs = Date.now();
  const nowSecond = Math.floor(nowMs / 1000);
  if (nowSecond !== second) {
    second = nowSecond;
    text = new Date(nowMs).toUTCString();
  }
  return text;
}
