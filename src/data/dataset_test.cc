#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;

class DatasetTest : public testing::Test {
 protected:
  DatasetTest() : folder_(fs::path(testing::TempDir()) / ("assay_data_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~DatasetTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Write(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    WriteFileAtomically(Path(name), content);
    return Path(name);
  }
  static std::string Idx(int rank, std::initializer_list<uint8_t> sizes, const std::string& data) {
    std::string text = {0, 0, 8, static_cast<char>(rank)};
    for (const uint8_t size : sizes) text += std::string({0, 0, 0, static_cast<char>(size)});
    return text + data;
  }
  static std::string MessageOf(const std::string& spec, const std::string& labels = "") {
    try {
      OpenDataset(spec, labels);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path folder_;
};

TEST_F(DatasetTest, FoldersAreClassesInByteOrder) {
  Write("set/b/2.jpg", "two");
  Write("set/b/10.jpg", "ten");
  Write("set/B/1.PNG", "one");
  Write("set/B/notes.txt", "x");
  Write("set/readme", "x");
  const auto dataset = OpenDataset("folder:" + Path("set"), "");
  ASSERT_EQ(dataset->size(), 3U);
  EXPECT_THAT(dataset->class_names(), testing::ElementsAre("B", "b"));
  EXPECT_EQ(dataset->ignored_files(), 2);
  EXPECT_EQ(dataset->Load(0).label, 0);
  EXPECT_THAT(dataset->Load(1).name, testing::EndsWith("b/10.jpg"));
  const auto picture = dataset->Load(2).picture;
  EXPECT_EQ(std::string(picture.begin(), picture.end()), "two");
}

TEST_F(DatasetTest, ImageNetByWnidAndByFile) {
  Write("images/n02.JPEG", "x");
  Write("images/n01_7.JPEG", "x");
  const std::string wnids = Write("wnids.csv", "class_index,wnid,name\n0,n01,\"tench, a fish\"\n1,n02,goldfish\n");
  const auto dataset = OpenDataset("imagenet:" + Path("images"), wnids);
  EXPECT_EQ(dataset->label_count(), 2);
  EXPECT_EQ(dataset->Load(0).label, 0);
  EXPECT_EQ(dataset->Load(1).label, 1);
  EXPECT_EQ(dataset->class_names()[0], "tench, a fish");
  const std::string files = Write("files.csv", "file,label\r\nn02.JPEG,7\r\nn01_7.JPEG,999\r\n");
  const auto by_file = OpenDataset("imagenet:" + Path("images"), files);
  EXPECT_EQ(by_file->label_count(), 1000);
  EXPECT_EQ(by_file->Load(0).label, 999);
}

TEST_F(DatasetTest, MnistPlainAndGzip) {
  const std::string pixels = Idx(3, {2, 1, 3}, "abcdef"), classes = Idx(1, {2}, std::string({4, 9}));
  const std::string images = Write("images", pixels), labels = Write("labels", classes);
  const std::string packed = Path("images.gz");
  gzFile gz = gzopen(packed.c_str(), "wb");
  gzwrite(gz, pixels.data(), static_cast<unsigned>(pixels.size()));
  gzclose(gz);
  for (const std::string& file : {images, packed}) {
    const auto dataset = OpenDataset("mnist:" + file + "," + labels, "");
    ASSERT_EQ(dataset->size(), 2U);
    EXPECT_EQ(dataset->label_count(), 10);
    const Sample sample = dataset->Load(1);
    EXPECT_EQ(sample.label, 9);
    EXPECT_THAT(sample.arrays[0].second.values<uint8_t>(), testing::ElementsAre('d', 'e', 'f'));
  }
  const std::string bytes = ReadTextFile(packed);
  const std::string cut = Write("cut.gz", bytes.substr(0, bytes.size() - 9));
  EXPECT_THAT(MessageOf("mnist:" + cut + "," + labels), testing::HasSubstr(cut));
}

TEST_F(DatasetTest, RawFilesListedInACsv) {
  Write("raw/a.bin", std::string("\x01\xff", 2));
  const std::string list = Write("list.csv", "a.bin,12,3\n");
  const auto typed = OpenDataset("csv:" + list + "," + Path("raw") + ",dtype=int8", "");
  EXPECT_EQ(typed->label_count(), 12);
  EXPECT_THAT(typed->Load(0).arrays[0].second.values<int8_t>(), testing::ElementsAre(1, -1));
  EXPECT_TRUE(OpenDataset("csv:" + list + "," + Path("raw"), "")->Load(0).arrays_are_bytes);
  EXPECT_THROW(OpenDataset("csv:" + list + "," + Path("raw") + ",dtype=int64", "")->Load(0), Error);
}

TEST_F(DatasetTest, NpzRowsByInputName) {
  Array x(DType::kFloat32, {2, 3}), y(DType::kInt64, {2});
  x.values<float>()[4] = 7;
  y.values<int64_t>()[1] = 5;
  WriteNpz(Path("a.npz"), {{"x", x}, {"y", y}});
  const auto dataset = OpenDataset("npz:" + Path("a.npz"), "");
  EXPECT_EQ(dataset->label_count(), 6);
  EXPECT_THAT(dataset->Load(1).arrays[0].second.values<float>(), testing::ElementsAre(0, 7, 0));
  WriteNpz(Path("b.npz"), {{"left", x}, {"right", x}});
  const auto unlabelled = OpenDataset("npz:" + Path("b.npz"), "");
  EXPECT_FALSE(unlabelled->has_labels());
  EXPECT_EQ(unlabelled->Load(0).arrays[1].first, "right");
}

// How many samples of each class a selection has.
std::vector<int> ClassesOf(const Dataset& dataset) {
  std::vector<int> counts(static_cast<size_t>(dataset.label_count()), 0);
  for (size_t i = 0; i < dataset.size(); ++i) ++counts[static_cast<size_t>(dataset.LabelOf(i))];
  return counts;
}

TEST_F(DatasetTest, ASelectionHitsEveryClassAlike) {
  for (const char* folder : {"a", "b", "c"}) {
    for (int i = 10; i < 30; ++i) Write(fmt::format("set/{}/{}.jpg", folder, i), "x");
  }
  const std::string spec = "folder:" + Path("set");
  EXPECT_EQ(ClassesOf(*SpreadSamples(OpenDataset(spec, ""), 30)), (std::vector<int>{10, 10, 10}));
  EXPECT_EQ(ClassesOf(*SpreadSamples(OpenDataset(spec, ""), 3)), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(SpreadSamples(OpenDataset(spec, ""), 60)->size(), 60U);
  EXPECT_EQ(SpreadSamples(OpenDataset(spec, ""), 1'000)->size(), 60U);
  const auto some = SpreadSamples(OpenDataset(spec, ""), 7);
  ASSERT_EQ(some->size(), 7U);
  for (const int count : ClassesOf(*some)) EXPECT_GE(count, 2);
  EXPECT_EQ(some->class_names().size(), 3U);
  // Within a class from its first to its last, the same ones every time.
  EXPECT_THAT(some->Load(0).name, testing::EndsWith("a/14.jpg"));
  EXPECT_THAT(some->Load(6).name, testing::EndsWith("c/25.jpg"));
  EXPECT_EQ(some->Load(6).label, some->LabelOf(6));
}

TEST_F(DatasetTest, ASelectionKeepsTheSharesOfTheClassesInAnyOrder) {
  // 60 of class 0, 30 of class 1, 10 of class 2, in turns.
  std::string list;
  for (int i = 0; i < 100; ++i) list += fmt::format("{}.bin,3,{}\n", i, i % 10 == 9 ? 2 : i % 10 >= 6 ? 1 : 0);
  const std::string file = Write("list.csv", list);
  EXPECT_EQ(ClassesOf(*SpreadSamples(OpenDataset("csv:" + file + ",raw", ""), 10)), (std::vector<int>{6, 3, 1}));
  EXPECT_EQ(ClassesOf(*SpreadSamples(OpenDataset("csv:" + file + ",raw", ""), 50)), (std::vector<int>{30, 15, 5}));
}

TEST_F(DatasetTest, ASelectionOfDataWithoutLabelsIsSpreadOverThem) {
  Array x(DType::kFloat32, {10, 1});
  for (size_t i = 0; i < 10; ++i) x.values<float>()[i] = static_cast<float>(i);
  WriteNpz(Path("a.npz"), {{"x", x}});
  const auto some = SpreadSamples(OpenDataset("npz:" + Path("a.npz"), ""), 2);
  EXPECT_FALSE(some->has_labels());
  EXPECT_EQ(some->Load(0).arrays[0].second.values<float>()[0], 2);
  EXPECT_EQ(some->Load(1).arrays[0].second.values<float>()[0], 7);
}

TEST_F(DatasetTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(MessageOf("foldr:x"), testing::HasSubstr("did you mean 'folder'"));
  EXPECT_THAT(MessageOf("folder"), testing::HasSubstr("expected KIND:WHERE"));
  EXPECT_THAT(MessageOf("folder:" + Path("missing")), testing::HasSubstr("missing"));
  fs::create_directories(folder_ / "empty");
  EXPECT_THAT(MessageOf("folder:" + Path("empty")), testing::HasSubstr("no subfolders"));
  fs::create_directories(folder_ / "empty/a");
  EXPECT_THAT(MessageOf("folder:" + Path("empty")), testing::HasSubstr("no .jpg"));
  EXPECT_THAT(MessageOf("imagenet:" + Path("empty")), testing::HasSubstr("needs --labels"));
  EXPECT_THAT(MessageOf("mnist:" + Path("x")), testing::HasSubstr("expected mnist:IMAGES,LABELS"));
  const std::string images = Write("images", Idx(3, {2, 1, 3}, "abcde")), labels = Write("labels", Idx(1, {1}, "a"));
  EXPECT_THAT(MessageOf("mnist:" + images + "," + labels), testing::HasSubstr("5 bytes of data"));
  EXPECT_THAT(MessageOf("mnist:" + labels + "," + labels), testing::HasSubstr("rank 1, expected bytes and rank 3"));
  EXPECT_THAT(MessageOf("csv:" + Write("bad.csv", "a.bin,12,x\n") + ",d"),
              testing::HasSubstr("line 1: 'x' is not an integer"));
  EXPECT_THAT(MessageOf("csv:" + Write("bad2.csv", "a.bin,12,12\n") + ",d"),
              testing::HasSubstr("label 12 of 12 classes"));
  EXPECT_THAT(MessageOf("csv:" + Write("bad3.csv", "a.bin\n") + ",d"), testing::HasSubstr("line 1: has 1 fields"));
  EXPECT_THAT(MessageOf("csv:a,b,dtype=string"), testing::HasSubstr("'string' cannot be read"));
  Write("pictures/n09.JPEG", "x");
  const std::string rows = Write("rows.csv", "class_index,wnid,name\n0,n01,a\n");
  EXPECT_THAT(MessageOf("imagenet:" + Path("pictures"), rows), testing::HasSubstr("no row for the picture"));
  const std::string twice = Write("twice.csv", "class_index,wnid,name\n0,n01,a\n1,n01,b\n");
  EXPECT_THAT(MessageOf("imagenet:" + Path("pictures"), twice), testing::HasSubstr("line 3: 'n01' occurs twice"));
}

}  // namespace
}  // namespace assay::data
