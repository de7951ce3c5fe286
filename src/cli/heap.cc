#include "cli/heap.h"

#include <cstdint>
#include <cstdlib>

#ifdef __GLIBC__  // which those have defined
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace assay::cli {

void ReserveHeap() {
#ifdef __GLIBC__
  constexpr int kReserved = 16 << 20, kUsualPad = 128 << 10;
  constexpr uintptr_t kLargePage = 2 << 20;
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // where glibc itself arrives once such a block has been freed
  ::mallopt(M_TRIM_THRESHOLD, 4 * kReserved);
  ::mallopt(M_TOP_PAD, kReserved);
  void* volatile grown = std::malloc(kLargePage);  // volatile: else the compiler leaves both calls away
  std::free(grown);
  ::mallopt(M_TOP_PAD, kUsualPad);  // where memory is limited, small blocks must not ask for so much
  if (grown == nullptr) return;
  const uintptr_t end = reinterpret_cast<uintptr_t>(::sbrk(0)) & ~(kLargePage - 1);
  ::madvise(reinterpret_cast<void*>(end - kReserved), kReserved, MADV_HUGEPAGE);
#endif
}

void KeepFreedMemory() {
#ifdef __GLIBC__
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace assay::cli
