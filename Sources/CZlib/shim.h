#include <zlib.h>

/// `inflateInit2` is a macro, which Swift cannot call. 47 takes both gzip and zlib headers.
static inline int zohosync_inflate_init(z_stream *stream) {
    return inflateInit2(stream, 47);
}
