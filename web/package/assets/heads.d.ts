/** `heads.json`, and the weights of the second network in base64; made by scripts/assets.mjs. */
export const json: object;
export const weights: string;
