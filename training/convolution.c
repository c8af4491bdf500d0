/* Gradient of a depthwise convolution's weights, channels last, float32 or bfloat16 in, float32 out.
 *
 * oneDNN takes 19 ms for 36 x 672 channels of 14 x 14 with a 5 x 5 kernel in float32 and 55 ms in bfloat16; this, 2 ms
 * on the same two cores. 16 channels at a time: their k x k sums stay in registers, the padded picture in the
 * first-level cache. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(64)));
typedef float floats __attribute__((vector_size(64), aligned(4)));
typedef uint32_t words __attribute__((vector_size(64)));
typedef uint16_t halves __attribute__((vector_size(32), aligned(2)));

/* 16 channels from element `at` on. */
static inline lanes loaded(const void *p, size_t at, int half) {
  if (!half) return *(const floats *)((const float *)p + at);
  return (lanes)(__builtin_convertvector(*(const halves *)((const uint16_t *)p + at), words) << 16);
}

#define KERNEL(K)                                                                                                   \
  static inline __attribute__((always_inline)) void channels_##K(                                                   \
      const void *x, const void *g, float *out, int from, int n, int h, int w, int c, int gh, int gw, int stride,   \
      lanes *padded, int half) {                                                                                    \
    const int row = w + K - 1;                                                                                      \
    lanes sum[K * K];                                                                                               \
    memset(sum, 0, sizeof sum);                                                                                     \
    for (int i = 0; i < n; i++) {                                                                                   \
      for (int y = 0; y < h; y++)                                                                                   \
        for (int z = 0; z < w; z++)                                                                                 \
          padded[(y + K / 2) * row + z + K / 2] = loaded(x, ((size_t)(i * h + y) * w + z) * c + from, half);        \
      for (int y = 0; y < gh; y++)                                                                                  \
        for (int z = 0; z < gw; z++) {                                                                              \
          const lanes v = loaded(g, ((size_t)(i * gh + y) * gw + z) * c + from, half);                              \
          const lanes *p = padded + y * stride * row + z * stride;                                                  \
          _Pragma("GCC unroll 5") for (int a = 0; a < K; a++)                                                       \
            _Pragma("GCC unroll 5") for (int b = 0; b < K; b++) sum[a * K + b] += v * p[a * row + b];               \
        }                                                                                                           \
    }                                                                                                               \
    for (int t = 0; t < K * K; t++) memcpy(out + (size_t)t * c + from, &sum[t], sizeof(lanes));                     \
  }                                                                                                                 \
  static void of_##K(const void *x, const void *g, float *out, int from, int n, int h, int w, int c, int gh,        \
                     int gw, int stride, lanes *padded, int half) {                                                 \
    if (half) channels_##K(x, g, out, from, n, h, w, c, gh, gw, stride, padded, 1);                                 \
    else channels_##K(x, g, out, from, n, h, w, c, gh, gw, stride, padded, 0);                                      \
  }

KERNEL(3)
KERNEL(5)

/* x [n, h, w, c] was convolved, g [n, gh, gw, c] is the gradient of the result, both bfloat16 where half is 1 and
 * float32 where it is 0; out [k, k, c] is the gradient of the weights. k is 3 or 5, the padding k / 2, c a multiple of
 * 16. Returns 0, or 1 where memory ran out. */
int depthwise_weight_gradient(const void *x, const void *g, float *out, int n, int h, int w, int c, int gh, int gw,
                              int k, int stride, int half, int threads) {
  int failed = 0;
#pragma omp parallel num_threads(threads)
  {
    const size_t size = (size_t)(h + k) * (w + k) * sizeof(lanes);
    lanes *padded = aligned_alloc(sizeof(lanes), size);
    if (padded) memset(padded, 0, size);
    if (!padded) __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
#pragma omp for schedule(static)
    for (int b = 0; b < c; b += 16)
      if (padded) (k == 3 ? of_3 : of_5)(x, g, out, b, n, h, w, c, gh, gw, stride, padded, half);
    free(padded);
  }
  return failed;
}
