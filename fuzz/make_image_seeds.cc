// make_image_seeds FOLDER: writes small pictures of every kind that the decoders tell apart into FOLDER/fuzz_images,
// and the same behind preprocessing specifications into FOLDER/fuzz_preprocess.
#include <png.h>

#include <cstdio>
// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

File Create(const std::string& path) {
  File file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) {
    std::fprintf(stderr, "%s: cannot write\n", path.c_str());
    std::exit(3);
  }
  return file;
}

struct JpegKind {
  const char* name;
  int components;
  J_COLOR_SPACE space;
  bool progressive = false, arithmetic = false, subsampled = true, exif = false;
  int restart = 0;
};

void WriteJpeg(const std::string& path, const JpegKind& kind) {
  constexpr unsigned kWidth = 19, kHeight = 13;
  const File file = Create(path);
  jpeg_error_mgr errors;
  jpeg_compress_struct jpeg;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file.get());
  jpeg.image_width = kWidth;
  jpeg.image_height = kHeight;
  jpeg.input_components = kind.components;
  jpeg.in_color_space = kind.space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 60, TRUE);
  if (!kind.subsampled) jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
  if (kind.progressive) jpeg_simple_progression(&jpeg);
  if (kind.arithmetic) jpeg.arith_code = TRUE;
  jpeg.restart_interval = static_cast<unsigned>(kind.restart);
  jpeg_start_compress(&jpeg, TRUE);
  if (kind.exif) {
    // One entry: orientation (0x112), a short, 6: to be turned by 90 degrees.
    const uint8_t exif[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                            0x12, 1,   3,   0,   1, 0, 0,   0,   6,  0, 0, 0, 0, 0, 0, 0};
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, sizeof(exif));
  }
  std::vector<uint8_t> row(kWidth * static_cast<unsigned>(kind.components));
  for (unsigned y = 0; y < kHeight; ++y) {
    for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<uint8_t>(i * 7 + y * 31);
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
}

void WritePng(const std::string& path, int color, int depth, int interlace, bool transparent) {
  constexpr unsigned kWidth = 11, kHeight = 9;
  const File file = Create(path);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file.get());
  png_set_IHDR(png, info, kWidth, kHeight, depth, color, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (color == PNG_COLOR_TYPE_PALETTE) {
    const png_color palette[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {9, 99, 199}};
    png_set_PLTE(png, info, palette, 4);
  }
  if (transparent) {
    const png_byte alpha[] = {0, 128};
    const png_color_16 key = {0, 1, 2, 3, 4};
    png_set_tRNS(png, info, alpha, color == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &key);
  }
  const size_t row_bytes = png_get_rowbytes(png, info);
  std::vector<std::vector<uint8_t>> pixels(kHeight, std::vector<uint8_t>(row_bytes));
  std::vector<png_bytep> rows;
  for (unsigned y = 0; y < kHeight; ++y) {
    for (size_t i = 0; i < row_bytes; ++i) {
      pixels[y][i] =
          color == PNG_COLOR_TYPE_PALETTE ? static_cast<uint8_t>((i + y) % 4) : static_cast<uint8_t>(i * 5 + y);
    }
    rows.push_back(pixels[y].data());
  }
  png_set_rows(png, info, rows.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
}

// One byte of length, a specification, the picture: the specifications in turn.
void WriteBehindSpecifications(const std::string& pictures, const std::string& folder) {
  const std::string specs[] = {"decode=pillow,resize=9x7:pillow-lanczos,scale=1/255",
                               "decode=tensorflow,crop=0.875,resize=7x9:tf-bicubic",
                               "crop=5x5,resize=short:8:opencv-area,color=bgr,mean=1:2:3,std=4:5:6",
                               "scale=2,resize=9x3:opencv-cubic,color=grey",
                               "decode=tensorflow,color=grey,resize=6x6:tf1-area-aligned,shift=-1",
                               "decode=tensorflow,resize=30x2:tf-lanczos5-antialias,color=grey",
                               "resize=30x20:opencv-lanczos4,resize=4x4:opencv-linear"};
  std::filesystem::create_directories(folder);
  size_t next = 0;
  for (const auto& entry : std::filesystem::directory_iterator(pictures)) {
    const std::string& spec = specs[next++ % std::size(specs)];
    std::ifstream picture(entry.path(), std::ios::binary);
    std::ofstream seed(folder + entry.path().filename().string(), std::ios::binary);
    seed << static_cast<char>(spec.size()) << spec << picture.rdbuf();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_image_seeds FOLDER\n");
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/fuzz_images/";
  std::filesystem::create_directories(folder);
  const JpegKind jpegs[] = {{.name = "rgb", .components = 3, .space = JCS_RGB},
                            {.name = "full", .components = 3, .space = JCS_RGB, .subsampled = false},
                            {.name = "progressive", .components = 3, .space = JCS_RGB, .progressive = true},
                            {.name = "arithmetic", .components = 3, .space = JCS_RGB, .arithmetic = true},
                            {.name = "restart", .components = 3, .space = JCS_RGB, .restart = 1},
                            {.name = "turned", .components = 3, .space = JCS_RGB, .exif = true},
                            {.name = "grey", .components = 1, .space = JCS_GRAYSCALE},
                            {.name = "cmyk", .components = 4, .space = JCS_CMYK}};
  for (const JpegKind& kind : jpegs) WriteJpeg(folder + kind.name + ".jpg", kind);
  for (const int interlace : {PNG_INTERLACE_NONE, PNG_INTERLACE_ADAM7}) {
    const std::string suffix = interlace == PNG_INTERLACE_NONE ? ".png" : "_interlaced.png";
    WritePng(folder + "rgb" + suffix, PNG_COLOR_TYPE_RGB, 8, interlace, false);
    WritePng(folder + "rgb16_key" + suffix, PNG_COLOR_TYPE_RGB, 16, interlace, true);
    WritePng(folder + "rgba" + suffix, PNG_COLOR_TYPE_RGB_ALPHA, 8, interlace, false);
    WritePng(folder + "grey" + suffix, PNG_COLOR_TYPE_GRAY, 8, interlace, false);
    WritePng(folder + "grey1" + suffix, PNG_COLOR_TYPE_GRAY, 1, interlace, true);
    WritePng(folder + "grey16_alpha" + suffix, PNG_COLOR_TYPE_GRAY_ALPHA, 16, interlace, false);
    WritePng(folder + "palette" + suffix, PNG_COLOR_TYPE_PALETTE, 8, interlace, true);
  }
  WriteBehindSpecifications(folder, std::string(argv[1]) + "/fuzz_preprocess/");
  return 0;
}
