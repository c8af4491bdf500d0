# From an sdist, which `python -m hatchling build -t sdist` makes:
#   HOMEBREW_UPRIGHT_SDIST=$PWD/dist/upright-0.1.0.tar.gz brew install --formula ./deploy/homebrew/upright.rb
# Its requirements come as wheels: onnxruntime and libvips take hours to build. Not run: it needs a Mac.
require "digest"

class Upright < Formula
  include Language::Python::Virtualenv

  SDIST = ENV.fetch("HOMEBREW_UPRIGHT_SDIST")

  desc "Tells which way up a picture belongs, and sets it right without losing anything"
  url "file://#{SDIST}"
  sha256 Digest::SHA256.file(SDIST).hexdigest
  license "Apache-2.0"

  depends_on "python@3.13"

  def install
    venv = virtualenv_create(libexec, "python3.13", without_pip: false)
    system venv.root/"bin/python", "-m", "pip", "install", "--prefer-binary", "#{buildpath}[pdf]"
    bin.install_symlink libexec/"bin/upright"
    man1.install_symlink libexec/"share/man/man1/upright.1"
    bash_completion.install_symlink libexec/"share/bash-completion/completions/upright"
    zsh_completion.install_symlink libexec/"share/zsh/site-functions/_upright"
    fish_completion.install_symlink libexec/"share/fish/vendor_completions.d/upright.fish"
  end

  test do
    (testpath/"blank.pgm").write "P2 8 8 255\n" + ("255 " * 64)
    assert_match "unsure", shell_output("#{bin}/upright detect blank.pgm")
  end
end
