#include "ops/op.h"

namespace assay::ops {

ThreadPool& RunContext::pool() const {
  static ThreadPool caller_only(1);  // holds no state that loops change
  return caller_only;
}

}  // namespace assay::ops
