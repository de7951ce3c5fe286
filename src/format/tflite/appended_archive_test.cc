#include "format/tflite/appended_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "format/tflite/test_models.h"

namespace assay::tflite {
namespace {

std::vector<uint8_t> Joined(std::vector<uint8_t> a, const std::vector<uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

uint32_t Word(const std::vector<uint8_t>& bytes, size_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

TEST(AppendedArchive, IsFoundBehindAFileHoweverItsOffsetsCount) {
  const std::vector<uint8_t> archive = SmallArchive(), front(1000, 'x');
  // Appended as it is, its offsets count from its own start; tools that append with care count from the file's.
  EXPECT_EQ(FindArchive(Joined(front, archive)), archive);
  EXPECT_EQ(FindArchive(Joined(front, MoveArchive(archive, front.size()))), archive);
  EXPECT_EQ(FindArchive(archive), archive);
}

TEST(AppendedArchive, MovingChangesTheOffsetsOnly) {
  const std::vector<uint8_t> archive = SmallArchive(), moved = MoveArchive(archive, 0x01020304);
  ASSERT_EQ(moved.size(), archive.size());
  const size_t end = archive.size() - 22, directory = Word(archive, end + 16);
  EXPECT_EQ(Word(moved, end + 16), directory + 0x01020304);
  EXPECT_EQ(Word(moved, directory + 42), 0x01020304U);
  size_t changed = 0;
  for (size_t i = 0; i < archive.size(); ++i) changed += archive[i] != moved[i] ? 1 : 0;
  EXPECT_EQ(changed, 8U);
  EXPECT_THROW(MoveArchive(archive, uint64_t{1} << 32), Error);
}

TEST(AppendedArchive, ACommentBelongsToIt) {
  std::vector<uint8_t> archive = SmallArchive();
  archive[archive.size() - 2] = 5;
  archive = Joined(archive, {'h', 'e', 'l', 'l', 'o'});
  EXPECT_EQ(FindArchive(Joined(std::vector<uint8_t>(77, 0), archive)), archive);
}

TEST(AppendedArchive, WhatIsNoArchiveIsNone) {
  EXPECT_EQ(FindArchive({}), std::nullopt);
  EXPECT_EQ(FindArchive(std::vector<uint8_t>(100'000, 'P')), std::nullopt);
  const std::vector<uint8_t> archive = SmallArchive();
  const size_t end = archive.size() - 22, directory = Word(archive, end + 16);
  for (const auto& [at, value] : std::vector<std::pair<size_t, uint8_t>>{
           {end, 'Q'},              // the end record's signature
           {end + 4, 1},            // several disks
           {end + 10, 2},           // more entries than there are
           {end + 12, 0xff},        // a directory longer than it is
           {end + 17, 0xff},        // a directory behind the end
           {end + 20, 1},           // a comment that is not there
           {directory, 'Q'},        // the entry's signature
           {directory + 29, 0xff},  // a name longer than the directory
           {directory + 42, 1},     // no file where the entry says
           {directory + 43, 0xff},  // behind the directory
       }) {
    std::vector<uint8_t> broken = archive;
    broken[at] = value;
    EXPECT_EQ(FindArchive(broken), std::nullopt) << "byte " << at;
    EXPECT_THROW(MoveArchive(broken, 0), Error) << "byte " << at;
  }
}

TEST(AppendedArchive, SurvivesAnyByteChangedOrCutOff) {
  const std::vector<uint8_t> archive = SmallArchive();
  for (size_t at = 0; at < archive.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::vector<uint8_t> broken = archive;
      broken[at] = static_cast<uint8_t>(value);
      const auto found = FindArchive(broken);
      if (found) {
        EXPECT_EQ(FindArchive(MoveArchive(*found, 0)), found);
      }
    }
    FindArchive(std::span(archive).first(at));
    FindArchive(std::span(archive).subspan(at));
  }
}

}  // namespace
}  // namespace assay::tflite
