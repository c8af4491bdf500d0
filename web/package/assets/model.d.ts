/** `model.json`, and the weights in base64; made by scripts/assets.mjs. */
export const json: object;
export const weights: string;
