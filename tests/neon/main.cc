// The main function of the kernel tests for NEON, and what they need of Highway's library, which Debian has no
// cross-compiled form of: with one instruction set there is nothing to detect.
#include <gtest/gtest.h>

#include <cstdlib>

#include "hwy/highway.h"

namespace hwy {

int64_t SupportedTargets() { return HWY_NEON; }
ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
