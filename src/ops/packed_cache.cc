#include "ops/packed_cache.h"

namespace assay::ops {

PackedCache& PackedCache::Global() {
  static PackedCache cache;
  return cache;
}

}  // namespace assay::ops
